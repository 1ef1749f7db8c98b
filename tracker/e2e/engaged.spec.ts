// Engaged time by the page's clock, which is moved by hand; everything else is the
// browser's. `make bench-engaged` runs the same in real time.
import { expect, freeze, type Newsroom, test } from './newsroom'
import { openTabs, type Tabs } from './tabs'

let tabs: Tabs
test.beforeAll(async () => (tabs = await openTabs()))
test.afterAll(() => tabs.close())

const story = '<p style="height:3000px">Story</p><textarea></textarea>'

const engaged = async (newsroom: Newsroom, folder: string) => (await newsroom.rows(folder))[0]?.engaged_seconds ?? 0

test('visible and used for 20 s, hidden for 20 s, then left', async ({ newsroom }) => {
  newsroom.page('/engaged/one', { body: story })
  const page = await tabs.context.newPage()
  await freeze(page)
  await page.goto(`${newsroom.origin}/engaged/one`)
  for (let second = 0; second < 20; second++) {
    await page.mouse.move(100 + second, 100)
    await page.clock.runFor(1000)
  }
  const other = await tabs.context.newPage()
  await expect.poll(() => page.evaluate(() => document.hidden)).toBe(true)
  await page.clock.runFor(20_000)
  await page.close({ runBeforeUnload: true })
  await expect.poll(() => engaged(newsroom, 'engaged')).toBe(20)
  await other.close()
})

test('five seconds after the last action attention ends', async ({ newsroom }) => {
  newsroom.page('/idle/one', { body: story })
  const page = await tabs.context.newPage()
  await freeze(page)
  await page.goto(`${newsroom.origin}/idle/one`)
  await page.clock.runFor(30_000) // the load counts
  // The scroll of a key takes the browser's time, and each of its steps is an action.
  await page.evaluate(() => Object.assign(window, { still: new Promise((resolve) => addEventListener('scrollend', resolve, { once: true })) }))
  await page.keyboard.press('PageDown')
  await page.evaluate(() => (window as unknown as { still: Promise<unknown> }).still)
  await page.clock.runFor(2000)
  await page.keyboard.press('a')
  await page.clock.runFor(40_000)
  await page.goto('about:blank')
  await expect.poll(() => engaged(newsroom, 'idle')).toBe(5 + 2 + 5)
  await page.close()
})

test('a browser that crashes loses at most the last minute', async ({ newsroom }) => {
  newsroom.page('/crash/one', { body: story })
  const page = await tabs.context.newPage()
  await freeze(page)
  await page.goto(`${newsroom.origin}/crash/one`)
  for (let second = 0; second < 150; second += 3) {
    await page.mouse.move(100 + second, 100)
    await page.clock.runFor(3000)
  }
  await expect.poll(() => engaged(newsroom, 'crash')).toBeGreaterThan(90)
  await tabs.crash()
  expect(await engaged(newsroom, 'crash')).toBeGreaterThanOrEqual(150 - 60)
  expect(await engaged(newsroom, 'crash')).toBeLessThan(150)
})
