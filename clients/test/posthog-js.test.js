// posthog-js in Chromium.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { browse, titleOf } from '../harness/browser.js'
import { calm, repeated, sameRows } from '../harness/compare.js'
import { bodyText, record } from '../harness/recorder.js'
import { start } from '../harness/server.js'

let server
before(async () => (server = await start()))
after(() => server?.stop())

/** The events that were sent: as JSON, gzipped, and as a form when a page is left. */
const events = (seen) => seen.filter((e) => e.path.startsWith('/e/') && e.method === 'POST').flatMap((e) => JSON.parse(bodyText(e)).batch)

test('every kind of event, until the page is left', async (t) => {
  const recorder = await record(server.url)
  t.after(recorder.close)
  const browser = await browse('posthog', recorder, server.key)
  t.after(browser.close)
  await browser.visit('/sport/final?utm_source=letter', 'https://www.search.example/')
  await recorder.until((seen) => events(seen).length >= 5, 'five events')
  await browser.page.mouse.wheel(0, 1000)
  await browser.page.waitForFunction(() => window.scrollY > 0)
  await browser.settled()
  await browser.page.close({ runBeforeUnload: true })
  await recorder.until((seen) => events(seen).some((e) => e.event === '$pageleave'), 'the page being left')
  calm(recorder.exchanges, browser.complaints)

  const sent = events(recorder.exchanges)
  const of = (name) => sent.find((e) => e.event === name)
  const at = (name) => (stored) => Math.abs(Date.parse(of(name).timestamp) - Date.parse(stored)) < 1000
  const common = {
    device: of('$pageview').properties.$device_id,
    url: `${browser.origin}/sport/final?utm_source=letter`,
    host: 'news.example',
    path: '/sport/final',
    item: 'news.example/sport/final',
    utm_source: 'letter',
    referrer: 'https://www.search.example/',
    referrer_host: 'www.search.example',
  }
  sameRows(await server.events(), [
    { ...common, type: 'article shared', time: at('article shared'), properties: { network: 'mail', count: 2, first: true, 'article.id': 'a1', 'article.tags': '["a","b"]' } },
    { ...common, type: 'identify', time: at('$identify'), account: 'reader-7', properties: { 'traits.plan': 'premium', 'traits.age': 41 } },
    { ...common, type: 'group', time: at('$groupidentify'), account: 'reader-7', properties: { group: 'team-3', group_type: 'team', 'group.name': 'The team' } },
    { ...common, type: 'alias', time: at('$create_alias'), account: 'reader-7', properties: { previous_id: 'reader-8' } },
    { ...common, type: 'page_view', time: at('$pageview'), account: 'reader-7', title: titleOf('/sport/final'), scroll_percent: (share) => share > 17 && share <= 100 },
  ])
  assert.deepEqual(new Set(recorder.exchanges.filter((e) => e.path.startsWith('/e/')).map((e) => e.headers['content-type'])), new Set([undefined, 'application/json', 'text/plain', 'application/x-www-form-urlencoded']))
  assert.ok(recorder.exchanges.filter((e) => e.path.startsWith('/flags')).every((e) => e.answer.toString() === '{}'))
  await repeated(server, recorder)
})
