// Engaged time in real time: the browser's clock, and nothing else moves.
import { expect, test } from './newsroom'
import { openTabs } from './tabs'

const seconds = (n: number) => new Promise((done) => setTimeout(done, n * 1000))
const story = '<p style="height:3000px">Story</p>'

test('visible and used for 20 s, hidden for 20 s, then left', async ({ newsroom }) => {
  newsroom.page('/real/left', { body: story })
  const tabs = await openTabs()
  const page = await tabs.context.newPage()
  await page.goto(`${newsroom.origin}/real/left`)
  const began = Date.now()
  while (Date.now() - began < 20_000) {
    await page.mouse.move(100 + Math.random() * 100, 100)
    await seconds(1)
  }
  await tabs.context.newPage()
  expect(await page.evaluate(() => document.hidden)).toBe(true)
  await seconds(20)
  await page.close({ runBeforeUnload: true })
  await expect.poll(async () => (await newsroom.rows('real'))[0]?.engaged_seconds ?? 0).toBeGreaterThan(18)
  const stored = (await newsroom.rows('real'))[0]?.engaged_seconds ?? 0
  console.log(`| visible and used for 20 s, hidden for 20 s, then left | ${stored} s stored | 20 ± 2 s |`)
  expect(stored).toBeLessThan(22)
  await tabs.close()
})

test('a browser that is killed after 90 s of reading', async ({ newsroom }) => {
  newsroom.page('/killed/one', { body: story })
  const tabs = await openTabs()
  const page = await tabs.context.newPage()
  await page.goto(`${newsroom.origin}/killed/one`)
  const began = Date.now()
  while (Date.now() - began < 90_000) {
    await page.mouse.move(100 + Math.random() * 100, 100)
    await seconds(1)
  }
  const read = (Date.now() - began) / 1000
  await tabs.crash()
  const stored = (await newsroom.rows('killed'))[0]?.engaged_seconds ?? 0
  console.log(`| read for ${read.toFixed(1)} s, then killed | ${stored} s stored, ${(read - stored).toFixed(1)} s lost | at most 60 s lost |`)
  expect(read - stored).toBeLessThanOrEqual(60)
  await tabs.close().catch(() => undefined)
})
