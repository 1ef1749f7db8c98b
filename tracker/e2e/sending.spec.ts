import { expect, freeze, test } from './newsroom'

test('what a page has to say when its tab is closed arrives', async ({ newsroom }) => {
  newsroom.page('/close/one', { body: '<p style="height:4000px">Story</p>' })
  const reader = await newsroom.reader()
  const page = await reader.newPage()
  await freeze(page)
  await page.goto(`${newsroom.origin}/close/one`)
  await expect.poll(async () => (await newsroom.rows('close')).length).toBe(1)
  await page.mouse.wheel(0, 1500)
  await expect.poll(() => page.evaluate(() => scrollY)).toBe(1500) // wheel does not wait for it
  await page.clock.runFor(700)
  await page.close({ runBeforeUnload: true })
  await expect.poll(async () => (await newsroom.rows('close'))[0]?.scroll_percent ?? 0).toBeGreaterThan(40)
  expect((await newsroom.rows('close'))[0]?.engaged_seconds).toBeGreaterThan(0.5)
  await reader.close()
})

test('an answer that was lost makes nothing count twice', async ({ newsroom, page }) => {
  newsroom.page('/lost/one', {})
  const before = await newsroom.ledger()
  let lost = 0
  await page.route('**/v1/events**', async (route) => {
    if (lost++) return route.continue()
    await route.fetch({ url: route.request().url().replace(newsroom.collect, newsroom.url) }) // the server has it
    return route.abort('connectionreset')
  })
  await page.goto(`${newsroom.origin}/lost/one`)
  await expect.poll(async () => (await newsroom.ledger()).duplicate ?? 0).toBe((before.duplicate ?? 0) + 1)
  expect((await newsroom.rows('lost')).length).toBe(1)
})

test('what is refused is sent again, later, and from the next page with consent', async ({ newsroom, page }) => {
  const head = '<script>window.readership = function () { (readership.q = readership.q || []).push(arguments) }; readership("consent", true)</script>'
  newsroom.page('/refused/one', { head })
  newsroom.page('/refused/two', { head })
  const tries: number[] = []
  await page.route('**/v1/events**', (route) => {
    tries.push(Date.now())
    return tries.length <= 2 ? route.fulfill({ status: 503, headers: { 'Retry-After': '1', 'Access-Control-Allow-Origin': newsroom.origin, 'Access-Control-Allow-Credentials': 'true', 'Access-Control-Expose-Headers': 'Retry-After' } }) : route.continue()
  })
  await page.goto(`${newsroom.origin}/refused/one`)
  await expect.poll(async () => (await newsroom.rows('refused')).length).toBe(1)
  expect(tries[1]! - tries[0]!).toBeGreaterThan(900)

  await page.unroute('**/v1/events**')
  await page.route('**/v1/events**', (route) => route.abort())
  await page.evaluate(() => (window as unknown as { readership: (...args: unknown[]) => void }).readership('event', 'poll'))
  await expect.poll(() => page.evaluate(() => localStorage.rsQueue as string)).toContain('poll')
  await page.unroute('**/v1/events**')
  await page.goto(`${newsroom.origin}/refused/two`)
  await expect.poll(async () => (await newsroom.rows('refused')).map(({ type }) => type)).toEqual(['page_view', 'poll', 'page_view'])
  await expect.poll(() => page.evaluate(() => localStorage.rsQueue as string)).toBe('[]')
})

test('below a folder of the site, behind our own proxy', async ({ newsroom, page }) => {
  newsroom.page('/folder/one', {
    head: '<script>window.readership = function () { (readership.q = readership.q || []).push(arguments) }; readership("consent", true)</script>',
    tag: newsroom.tag().replace(newsroom.collect, '/_readership'),
  })
  const hosts = new Set<string>()
  page.on('request', (request) => hosts.add(new URL(request.url()).origin))
  await page.goto(`${newsroom.proxied}/folder/one`)
  await page.waitForResponse(/_readership\/v1\/events/)
  await page.goto('about:blank') // what was read goes with a beacon
  await expect.poll(async () => (await newsroom.rows('folder'))[0]?.scroll_percent).toBe(100)
  expect([...hosts]).toEqual([newsroom.proxied])
  expect((await page.context().cookies()).map(({ name, httpOnly, sameSite }) => [name, httpOnly, sameSite])).toEqual([['rsid', true, 'Lax']])
  expect((await newsroom.rows('folder')).map(({ type, device }) => [type, /^~/.test(device ?? '~')])).toEqual([['page_view', false]])
})
