import { expect, freeze, test } from './newsroom'

test("pages with Plausible's tag, unchanged", async ({ newsroom, page }) => {
  const tag = `<script defer data-domain="news.example" src="${newsroom.collect}/js/script.js" event-author="Ada"></script>
    <script>window.plausible = window.plausible || function () { (window.plausible.q = window.plausible.q || []).push(arguments) }</script>`
  newsroom.page('/plausible/one', { tag, body: '<p style="height:3000px">Story</p>' })
  newsroom.page('/plausible/two', { tag: tag.replace('script.js', 'script.hash.outbound-links.js') })
  await freeze(page)
  await page.goto(`${newsroom.origin}/plausible/one`)
  await page.evaluate(() => (window as unknown as { plausible: (...args: unknown[]) => void }).plausible('Signup', { props: { plan: 'plus' }, revenue: { amount: 9, currency: 'EUR' } }))
  await expect.poll(async () => (await newsroom.rows('plausible')).length).toBe(2)
  await page.clock.runFor(3000)
  await page.goto(`${newsroom.origin}/plausible/two#a`)
  await page.evaluate(() => (location.hash = 'b'))
  await page.clock.runFor(1000)
  await expect.poll(async () => (await newsroom.rows('plausible')).length).toBe(4)
  const rows = await newsroom.rows('plausible')
  expect(rows[0]).toMatchObject({ type: 'page_view', item: 'news.example/plausible/one' })
  expect(rows[0]?.engaged_seconds).toBeGreaterThan(2.5)
  expect(rows[0]?.scroll_percent).toBeGreaterThan(10)
  expect(rows[1]).toMatchObject({ type: 'Signup', value: 9, currency: 'EUR' })
  expect(rows.slice(2).map(({ item }) => item)).toEqual(['news.example/plausible/two#a', 'news.example/plausible/two#b'])
})
