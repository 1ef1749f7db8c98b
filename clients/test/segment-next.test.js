// @segment/analytics-next in Chromium: one request a message, and batches.
import { after, before, test } from 'node:test'
import { browse, titleOf } from '../harness/browser.js'
import { calm, repeated, sameRows } from '../harness/compare.js'
import { record } from '../harness/recorder.js'
import { start } from '../harness/server.js'

let server
before(async () => (server = await start()))
after(() => server?.stop())

for (const page of ['segment', 'segment-batch']) {
  test(page, async (t) => {
    const recorder = await record(server.url)
    t.after(recorder.close)
    const browser = await browse(page, recorder, server.key)
    t.after(browser.close)
    const path = `/${page}/final`
    await browser.visit(`${path}?utm_source=letter`, 'https://www.search.example/')
    const messages = (seen) => seen.filter((e) => e.method === 'POST').flatMap((e) => ((m) => m.batch ?? [m])(JSON.parse(e.body)))
    await recorder.until((seen) => messages(seen).length === 5, 'five messages')
    calm(recorder.exchanges, browser.complaints)

    const sent = messages(recorder.exchanges)
    const common = {
      time: (time) => sent.some((m) => Math.abs(Date.parse(m.timestamp) - Date.parse(time)) < 1000),
      device: sent[0].anonymousId,
      url: `${browser.origin}${path}?utm_source=letter`,
      host: 'news.example',
      path,
      item: `news.example${path}`,
      title: titleOf(path),
      utm_source: 'letter',
      referrer: 'https://www.search.example/',
      referrer_host: 'www.search.example',
    }
    const rows = (await server.events()).filter((row) => row.path === path)
    sameRows(rows, [
      { ...common, type: 'page_view', properties: { name: 'The final', category: 'Sport', desk: 'sport' } },
      {
        ...common,
        type: 'Article Shared',
        value: 4.5,
        currency: 'EUR',
        properties: { network: 'mail', count: 2, first: true, 'article.id': 'a1', 'article.tags': '["a","b"]' },
      },
      { ...common, type: 'identify', account: 'reader-7', properties: { 'traits.plan': 'premium', 'traits.age': 41, 'traits.address.city': 'Bern' } },
      { ...common, type: 'group', account: 'reader-7', properties: { group: 'team-3', 'group.name': 'The team' } },
      // The tracker names the reader that it has, not the one to come.
      { ...common, type: 'alias', account: 'reader-7', properties: { previous_id: 'reader-7' } },
    ])
    await repeated(server, recorder)
  })
}
