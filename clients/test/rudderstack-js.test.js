// @rudderstack/analytics-js in Chromium: one request a message, and a beacon
// when the page is left.
import { after, before, test } from 'node:test'
import { browse, titleOf } from '../harness/browser.js'
import { calm, repeated, sameRows } from '../harness/compare.js'
import { record } from '../harness/recorder.js'
import { start } from '../harness/server.js'

let server
before(async () => (server = await start()))
after(() => server?.stop())

for (const page of ['rudderstack', 'rudderstack-beacon']) {
  test(page, async (t) => {
    const recorder = await record(server.url)
    t.after(recorder.close)
    const browser = await browse(page, recorder, server.key)
    t.after(browser.close)
    const path = `/${page}/final`
    await browser.visit(`${path}?utm_source=letter`, 'https://www.search.example/')
    const url = `${browser.origin}${path}?utm_source=letter`
    const messages = (seen) => seen.filter((e) => e.method === 'POST').flatMap((e) => ((m) => m.batch ?? [m])(JSON.parse(e.body)))
    if (page === 'rudderstack-beacon') await browser.page.goto('about:blank')
    await recorder.until((seen) => messages(seen).length === 5, 'five messages')
    calm(recorder.exchanges, browser.complaints)

    const sent = messages(recorder.exchanges)
    const at = (type) => (stored) => Math.abs(Date.parse(sent.find((m) => m.type === type).originalTimestamp) - Date.parse(stored)) < 1000
    const common = {
      device: sent[0].anonymousId,
      url,
      host: 'news.example',
      path,
      item: `news.example${path}`,
      title: titleOf(path),
      utm_source: 'letter',
      referrer: 'https://www.search.example/',
      referrer_host: 'www.search.example',
    }
    const entry = { initial_referrer: 'https://www.search.example/', initial_referring_domain: 'www.search.example' }
    sameRows(
      (await server.events()).filter((row) => row.path === path),
      [
        { ...common, type: 'page_view', time: at('page'), properties: { name: 'The final', category: 'Sport', desk: 'sport', ...entry } },
        { ...common, type: 'Article Shared', time: at('track'), properties: { network: 'mail', count: 2, first: true, 'article.id': 'a1', 'article.tags': '["a","b"]' } },
        {
          ...common,
          type: 'identify',
          time: at('identify'),
          account: 'reader-7',
          properties: { 'traits.plan': 'premium', 'traits.age': 41, 'traits.address.city': 'Bern' },
        },
        { ...common, type: 'group', time: at('group'), account: 'reader-7', properties: { group: 'team-3', 'group.name': 'The team' } },
        { ...common, type: 'alias', time: at('alias'), account: 'reader-8', properties: { previous_id: 'reader-7' } },
      ],
    )
    await repeated(server, recorder)
  })
}
