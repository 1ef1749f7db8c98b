// @snowplow/browser-tracker in Chromium: POST, GET, and without identity.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { browse, titleOf } from '../harness/browser.js'
import { calm, repeated, sameRows, some } from '../harness/compare.js'
import { record } from '../harness/recorder.js'
import { start } from '../harness/server.js'

let server
before(async () => (server = await start({ aliases: ['news-tag'] })))
after(() => server?.stop())

/** The payloads that were sent, of POST and GET alike. */
const payloads = (seen) =>
  seen.flatMap((e) => {
    if (e.method === 'POST') return JSON.parse(e.body).data
    return e.path.startsWith('/i?') ? [Object.fromEntries(new URL(e.path, 'http://x').searchParams)] : []
  })

for (const page of ['snowplow', 'snowplow-get', 'snowplow-anonymous']) {
  test(page, async (t) => {
    const recorder = await record(server.url)
    t.after(recorder.close)
    const browser = await browse(page, recorder, server.key)
    t.after(browser.close)
    const path = `/${page}/final`
    await browser.visit(`${path}?utm_source=letter`, 'https://www.search.example/')
    await browser.page.mouse.wheel(0, 1000)
    await recorder.until((seen) => payloads(seen).some((p) => p.e === 'pp' && Number(p.pp_may) >= 1000), 'a page ping')
    calm(recorder.exchanges, browser.complaints)
    if (page !== 'snowplow-get') assert.ok(recorder.exchanges.every((e) => e.method === 'OPTIONS' || e.answer.toString() === 'ok'))

    const sent = payloads(recorder.exchanges)
    const anonymous = page === 'snowplow-anonymous'
    const at = (i) => (stored) => Math.abs(Number(sent.filter((p) => p.e !== 'pp')[i].dtm) - Date.parse(stored)) < 1000
    const common = {
      device: anonymous ? (device) => device.startsWith('~') : sent[0].duid,
      url: `${browser.origin}${path}?utm_source=letter`,
      host: 'news.example',
      path,
      item: `news.example${path}`,
      utm_source: 'letter',
      referrer: 'https://www.search.example/',
      referrer_host: 'www.search.example',
    }
    const pings = sent.filter((p) => p.e === 'pp')
    const own = (properties) => (anonymous ? undefined : properties)
    sameRows(
      (await server.events()).filter((row) => row.path === path),
      [
        {
          ...common,
          type: 'page_view',
          time: at(0),
          title: titleOf(path),
          engaged_seconds: 10 * pings.length,
          scroll_percent: (share) => share >= 40 && share <= 100,
          properties: { 'article.desk': 'sport', 'article.words': 800 },
        },
        { ...common, type: 'share', time: at(1), properties: own({ category: 'article', label: 'mail', property: 'top', value: 2.5 }) },
        { ...common, type: 'article_shared', time: at(2), properties: own({ network: 'mail', count: 2, first: true }) },
        { ...common, type: 'signed in', time: at(3), account: own('reader-7'), properties: own({ category: 'account' }) },
      ],
    )
    assert.ok(some(sent[0].eid))
    await repeated(server, recorder)
  })
}
