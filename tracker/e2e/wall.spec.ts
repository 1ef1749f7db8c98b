// The paywall in the page, against a program with a meter of two.
import { expect, freeze, test } from './newsroom'

const program = `
meter monthly (limit: 2) = burns |> per month |> distinct item
access story {
  allow again    if item in monthly
  allow metered  if monthly.left > 0  burns monthly
  deny  subscribe                     offers plan_picker
}
access slow (counts: engaged 10s) {
  allow metered  if monthly.left > 0  burns monthly
  deny  subscribe                     offers plan_picker
}
`

const article = (block: string) =>
  `<article data-rs-access="${block}"><p style="height:2000px">Story</p></article>
   <section data-rs-offer="registration_wall" hidden>Register</section><section data-rs-offer="plan_picker" hidden>Subscribe</section><section data-rs-offer hidden>Any</section>`

const consent = '<script>window.readership = function () { (readership.q = readership.q || []).push(arguments) }; readership("consent", true)</script>'

test.beforeAll(async ({ newsroom }) => {
  await newsroom.call('PUT', '/v1/sites/news/program', { files: { main: program } })
  for (const name of ['one', 'two', 'three', 'slow']) newsroom.page(`/wall/${name}`, { head: consent, body: article(name === 'slow' ? 'slow' : 'story') })
})

interface Decision {
  item: string
  decision: string
  commit: string
}

test('the third article shows the offer', async ({ newsroom, page }) => {
  const committed = async () => {
    const device = (await newsroom.rows('wall')).at(-1)?.device ?? 'none'
    const { decisions } = JSON.parse(await newsroom.call('GET', `/v1/sites/news/readers/device:${device}/decisions`)) as { decisions: Decision[] }
    return decisions.map(({ decision }) => decision).reverse()
  }
  for (const name of ['one', 'two', 'one']) {
    await page.goto(`${newsroom.origin}/wall/${name}`)
    await expect(page.locator('article')).toBeVisible()
    await page.waitForResponse(/commit$/)
    await expect(page.locator('section:visible')).toHaveCount(0)
  }
  await page.goto(`${newsroom.origin}/wall/three`)
  await expect(page.locator('article')).toBeHidden()
  await expect(page.locator('section:visible')).toHaveText(['Subscribe', 'Any'])
  await expect.poll(committed).toEqual(['allow', 'allow', 'allow', 'deny'])
  await expect.poll(async () => (await newsroom.rows('wall')).find(({ type }) => type === 'wall_shown')?.properties).toMatchObject({ offer: 'plan_picker', clause: 'subscribe' })
})

test('an article that counts when it is read', async ({ newsroom, page }) => {
  const commits: string[] = []
  page.on('request', (request) => request.url().endsWith('/commit') && commits.push(request.url()))
  await freeze(page)
  await page.goto(`${newsroom.origin}/wall/slow`)
  await page.waitForResponse(/decisions$/)
  await page.clock.runFor(4000)
  await page.mouse.move(10, 10)
  await page.clock.runFor(4000)
  expect(commits).toEqual([])
  await page.mouse.move(20, 20)
  await Promise.all([page.waitForResponse(/commit$/), page.clock.runFor(3000)])
})

test('where the edge has decided the page only commits', async ({ newsroom, page }) => {
  const asked = JSON.parse(await newsroom.call('POST', '/v1/sites/news/decisions', { access: 'story', reader: { device: 'd1' }, item: { id: 'a1' } })) as { decision_id: string }
  newsroom.page('/wall/edge', { head: `<meta name="readership-decision" content="${asked.decision_id}">`, body: article('story') })
  const calls: string[] = []
  page.on('request', (request) => request.url().includes('/decisions') && request.method() === 'POST' && calls.push(request.url()))
  await page.goto(`${newsroom.origin}/wall/edge`)
  await page.waitForRequest(/commit$/)
  expect(calls.length).toBe(1)
  expect(calls[0]).toContain(asked.decision_id)
})

test('where the edge has decided and the page counts when it is read, it is committed then', async ({ newsroom, page }) => {
  const asked = JSON.parse(await newsroom.call('POST', '/v1/sites/news/decisions', { access: 'slow', reader: { device: 'd2' }, item: { id: 'a2' } })) as { decision_id: string }
  newsroom.page('/wall/read', { head: `<meta name="readership-decision" content="${asked.decision_id}" data-engaged_seconds=10>`, body: article('slow') })
  newsroom.page('/wall/seen', { head: `<meta name="readership-decision" content="${asked.decision_id}" data->`, body: article('story') }) // as a file of nginx leaves it
  const commits: string[] = []
  page.on('request', (request) => request.url().endsWith('/commit') && commits.push(request.url()))
  await freeze(page)
  await page.goto(`${newsroom.origin}/wall/read`)
  await page.clock.runFor(4000)
  await page.mouse.move(10, 10)
  await page.clock.runFor(4000)
  expect(commits).toEqual([])
  await page.mouse.move(20, 20)
  await Promise.all([page.waitForRequest(/commit$/), page.clock.runFor(3000)])
  await page.goto(`${newsroom.origin}/wall/seen`)
  await Promise.all([page.waitForRequest(/commit$/), page.clock.runFor(2000)])
})
