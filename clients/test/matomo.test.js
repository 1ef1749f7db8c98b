// matomo-tracker: single requests and bulk, with and without an API key.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import MatomoTracker from 'matomo-tracker'
import { calm, repeated, sameRows } from '../harness/compare.js'
import { record } from '../harness/recorder.js'
import { start } from '../harness/server.js'

/** Starts the program with a site that Matomo's clients know as 7. */
async function serve(t) {
  const server = await start({ aliases: ['7'] })
  t.after(server.stop)
  const recorder = await record(server.url)
  t.after(recorder.close)
  const tracker = new MatomoTracker(7, `${recorder.url}/matomo.php`)
  const errors = []
  tracker.on('error', (error) => errors.push(error))
  return { server, recorder, tracker, errors }
}

const url = 'https://news.example/sport/final?utm_source=letter'
const page = { url, host: 'news.example', path: '/sport/final', item: 'news.example/sport/final', utm_source: 'letter' }

test('one request an event, and each twice', async (t) => {
  const { server, recorder, tracker, errors } = await serve(t)
  const reader = { _id: '0123456789abcdef', uid: 'reader-7' }
  const events = [
    { url, action_name: 'The final', urlref: 'https://www.search.example/', pv_id: 'abcdef', dimension1: 'sport' },
    { url, e_c: 'article', e_a: 'share', e_n: 'mail', e_v: 2.5, pv_id: 'abcdef', rand: 'a1' },
    { url, idgoal: 3, revenue: 12.5, rand: 'a2', send_image: 0 },
    { url, search: 'cup', search_count: 4, rand: 'a3' },
    { url, ping: 1, pv_id: 'abcdef', rand: 'a4' },
  ]
  for (const [i, event] of events.entries()) {
    tracker.track({ ...reader, ...event })
    await recorder.until((seen) => seen.length === i + 1)
  }
  calm(recorder.exchanges)
  assert.deepEqual(errors, [])
  assert.deepEqual(
    recorder.exchanges.map((e) => [e.status, e.answered['content-type']]),
    [0, 1, 2, 3, 4].map((i) => (i === 2 ? [204, undefined] : [200, 'image/gif'])),
  )
  const by = { device: '0123456789abcdef', account: 'reader-7', ...page }
  sameRows(await server.events(), [
    { ...by, type: 'page_view', title: 'The final', referrer: 'https://www.search.example/', referrer_host: 'www.search.example', engaged_seconds: 15, properties: { dimension1: 'sport' } },
    { ...by, type: 'share', properties: { event_category: 'article', event_name: 'mail', event_value: 2.5 } },
    { ...by, type: 'conversion', value: 12.5, currency: 'EUR', properties: { goal: '3' } },
    { ...by, type: 'search', properties: { search: 'cup', search_count: 4 } },
  ])
  await repeated(server, recorder)
})

test('bulk with an API key, which says when and where', async (t) => {
  const { server, recorder, tracker, errors } = await serve(t)
  const { key } = JSON.parse(await server.call('POST', '/v1/keys', { name: 'tracker', scopes: ['events:import'] }))
  const minute = Math.floor(Date.now() / 60_000) * 60
  const send = (events) => new Promise((done) => tracker.trackBulk(events, (answer) => done(JSON.parse(answer))))
  const events = [
    { url, cdt: minute - 600, cip: '203.0.113.9', ua: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36', _id: 'fedcba9876543210', pv_id: 'aaaaaa', token_auth: key },
    { url, cdt: new Date((minute - 300) * 1000).toISOString().slice(0, 19).replace('T', ' '), uid: 'reader-7', e_c: 'article', e_a: 'share', rand: 'b1', token_auth: key },
    { url, _id: 'fedcba9876543210', pv_id: 'bbbbbb' },
    { url: 'https://elsewhere.example/', pv_id: 'cccccc' },
    { url, cdt: minute, pv_id: 'dddddd' },
  ]
  assert.deepEqual(await send(events), { status: 'success', tracked: 3, invalid: 2 })
  assert.deepEqual(await send(events), { status: 'success', tracked: 3, invalid: 2 })
  assert.deepEqual(errors, [])
  assert.deepEqual(
    recorder.exchanges.map((e) => e.answered['x-readership-verdict']),
    ['stored, invalid:url, invalid:cdt', 'duplicate, invalid:url, invalid:cdt'],
  )
  const at = (seconds) => new Date(seconds * 1000).toISOString()
  sameRows(await server.events(), [
    { ...page, type: 'page_view', device: 'fedcba9876543210', time: at(minute - 600) },
    { ...page, type: 'share', device: 'account:reader-7', account: 'reader-7', time: at(minute - 300), properties: { event_category: 'article' } },
    { ...page, type: 'page_view', device: 'fedcba9876543210' },
  ])
})
