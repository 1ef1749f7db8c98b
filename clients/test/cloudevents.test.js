// The CloudEvents SDK in its binary and structured modes, and a batch of its events.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CloudEvent, HTTP, Mode, emitterFor, httpTransport } from 'cloudevents'
import { calm, repeated, sameRows } from '../harness/compare.js'
import { record } from '../harness/recorder.js'
import { start } from '../harness/server.js'

test('every mode', async (t) => {
  const server = await start()
  t.after(server.stop)
  const recorder = await record(server.url)
  t.after(recorder.close)
  const to = `${recorder.url}/v1/cloudevents?key=${server.key}`
  const at = (seconds) => new Date(Math.floor(Date.now() / 1000) * 1000 - 60_000 + seconds * 1000).toISOString()
  const times = [at(0), at(1), at(2), at(3)]
  const event = (i, type, data) => new CloudEvent({ id: `e${i}`, source: '/cms', type, time: times[i], subject: 'a1', traceparent: 'trace', data })
  const url = 'https://news.example/sport/final'
  for (const [mode, one] of [
    [Mode.BINARY, event(0, 'page_view', { device: 'd1', url, title: 'Die Größe', desk: 'sport' })],
    [Mode.STRUCTURED, event(1, 'article.shared', { device: 'd1', url, network: { name: 'mail', count: 2 } })],
  ]) {
    const emit = emitterFor(httpTransport(to), { mode })
    const answer = await emit(one)
    assert.deepEqual(JSON.parse(answer.body), { accepted: 1, duplicates: 0, rejected: [], rejected_total: 0 })
  }
  const batch = [event(2, 'identify', { device: 'd1', account: 'reader-7', traits: { plan: 'gold' } }), event(3, 'conversion', { device: 'd1', value: 4.5, currency: 'usd' })]
  const body = `[${batch.map((one) => HTTP.structured(one).body).join(',')}]`
  const answer = await fetch(to, { method: 'POST', headers: { 'Content-Type': 'application/cloudevents-batch+json' }, body })
  assert.equal((await answer.json()).accepted, 2)
  calm(recorder.exchanges)

  const common = { device: 'd1', properties: { source: '/cms', subject: 'a1' } }
  const page = { url, host: 'news.example', path: '/sport/final', item: 'news.example/sport/final' }
  const with_ = (more) => ({ ...common.properties, traceparent: 'trace', ...more })
  sameRows(await server.events(), [
    { ...common, ...page, type: 'page_view', time: times[0], title: 'Die Größe', properties: { ...common.properties, desk: 'sport' } },
    { ...common, ...page, type: 'article.shared', time: times[1], properties: with_({ 'network.name': 'mail', 'network.count': 2 }) },
    { ...common, type: 'identify', time: times[2], account: 'reader-7', properties: with_({ 'traits.plan': 'gold' }) },
    { ...common, type: 'conversion', time: times[3], value: 4.5, currency: 'USD', properties: with_({}) },
  ])
  await repeated(server, recorder)
})
