// The native wire format through the same harness.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { browse, titleOf } from '../harness/browser.js'
import { calm, sameRows } from '../harness/compare.js'
import { record } from '../harness/recorder.js'
import { start } from '../harness/server.js'

let server, recorder
before(async () => (server = await start()))
after(() => server?.stop())

test('events of a server and of a page', async (t) => {
  recorder = await record(server.url)
  t.after(recorder.close)
  const event = { type: 'sale', id: 'one', device: 'd1', url: 'https://news.example/shop', properties: { desk: 'sport', n: 2 } }
  const send = async () => {
    const headers = { Authorization: `Bearer ${server.key}`, 'Content-Type': 'application/json' }
    return (await fetch(`${recorder.url}/v1/events`, { method: 'POST', headers, body: JSON.stringify(event) })).json()
  }
  assert.equal((await send()).accepted, 1)
  assert.equal((await send()).duplicates, 1)

  const browser = await browse('native', recorder, server.key)
  t.after(browser.close)
  await browser.visit('/sport/final?utm_source=letter', 'https://www.search.example/')
  await recorder.until((seen) => seen.length === 3)
  calm(recorder.exchanges.slice(1), browser.complaints)

  sameRows(await server.events(), [
    { type: 'sale', device: 'd1', item: 'news.example/shop', url: event.url, host: 'news.example', path: '/shop', properties: event.properties },
    {
      type: 'page_view',
      device: 'd2',
      item: 'news.example/sport/final',
      url: `${browser.origin}/sport/final?utm_source=letter`,
      host: 'news.example',
      path: '/sport/final',
      title: titleOf('/sport/final'),
      utm_source: 'letter',
      referrer: 'https://www.search.example/',
      referrer_host: 'www.search.example',
    },
  ])
})
