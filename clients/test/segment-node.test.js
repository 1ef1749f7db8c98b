// @segment/analytics-node: batches of a server.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Analytics } from '@segment/analytics-node'
import { calm, listen, repeated, sameRows } from '../harness/compare.js'
import { record } from '../harness/recorder.js'
import { start } from '../harness/server.js'

let server
before(async () => (server = await start()))
after(() => server?.stop())

test('every kind of message, and one twice', async (t) => {
  const recorder = await record(server.url)
  t.after(recorder.close)
  const console = listen()
  t.after(console.end)
  const analytics = new Analytics({ writeKey: server.key, host: recorder.url, flushAt: 20 })
  analytics.on('error', (error) => console.complaints.push(`analytics: ${error.reason ?? error}`))

  const at = (seconds) => new Date(Date.now() - 60_000 + seconds * 1000)
  const page = { url: 'https://news.example/sport/final?utm_medium=mail', referrer: 'https://www.search.example/', title: 'The final' }
  const reader = { anonymousId: 'device-1' }
  analytics.page({ ...reader, name: 'Final', category: 'Sport', properties: { ...page, desk: 'sport' }, timestamp: at(0) })
  analytics.screen({ ...reader, name: 'Front page', properties: { build: 7 }, timestamp: at(1) })
  const shared = { ...reader, event: 'Article Shared', messageId: 'shared-1', properties: { network: 'mail', count: 2, tags: ['a'] }, context: { page }, timestamp: at(2) }
  analytics.track(shared)
  analytics.identify({ ...reader, userId: 'reader-7', traits: { plan: 'premium', address: { city: 'Bern' } }, timestamp: at(3) })
  analytics.group({ userId: 'reader-7', groupId: 'team-3', traits: { name: 'The team' }, timestamp: at(4) })
  analytics.alias({ userId: 'reader-8', previousId: 'reader-7', timestamp: at(5) })
  await analytics.flush()
  analytics.track(shared)
  await analytics.closeAndFlush()
  calm(recorder.exchanges, console.complaints, [shared.messageId])
  assert.deepEqual(recorder.exchanges.map((e) => e.answered['x-readership-verdict']), ['stored', 'duplicate'])

  const sent = JSON.parse(recorder.exchanges[0].body).batch
  const place = { host: 'news.example', path: '/sport/final', item: 'news.example/sport/final', utm_medium: 'mail', referrer_host: 'www.search.example' }
  const time = (i) => (stored) => Math.abs(Date.parse(sent[i].timestamp) - Date.parse(stored)) < 1000
  sameRows(await server.events(), [
    { type: 'page_view', time: time(0), device: 'device-1', ...page, ...place, properties: { name: 'Final', category: 'Sport', desk: 'sport' } },
    { type: 'page_view', time: time(1), device: 'device-1', title: 'Front page', properties: { name: 'Front page', build: 7 } },
    { type: 'Article Shared', time: time(2), device: 'device-1', ...page, ...place, properties: { network: 'mail', count: 2, tags: '["a"]' } },
    { type: 'identify', time: time(3), device: 'device-1', account: 'reader-7', properties: { 'traits.plan': 'premium', 'traits.address.city': 'Bern' } },
    { type: 'group', time: time(4), device: 'account:reader-7', account: 'reader-7', properties: { group: 'team-3', 'group.name': 'The team' } },
    { type: 'alias', time: time(5), device: 'account:reader-8', account: 'reader-8', properties: { previous_id: 'reader-7' } },
  ])
  await repeated(server, recorder)
})
