// posthog-node: gzipped batches of a server, in the wire formats of both kinds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PostHog } from 'posthog-node'
import { calm, listen, repeated, sameRows } from '../harness/compare.js'
import { bodyText, record } from '../harness/recorder.js'
import { start } from '../harness/server.js'

for (const mode of ['v0', 'v1']) {
  test(mode, async (t) => {
    const server = await start()
    t.after(server.stop)
    const recorder = await record(server.url)
    t.after(recorder.close)
    const console = listen()
    t.after(console.end)
    process.env.POSTHOG_CAPTURE_MODE = mode
    const posthog = new PostHog(server.key, { host: recorder.url, flushAt: 20 })
    posthog.on('error', (error) => console.complaints.push(`posthog: ${error}`))

    const at = (seconds) => new Date(Date.now() - 60_000 + seconds * 1000)
    const page = { $current_url: 'https://news.example/sport/final?utm_medium=mail', $referrer: 'https://www.search.example/', title: 'The final' }
    posthog.capture({ distinctId: 'reader-7', event: '$pageview', properties: { ...page, desk: 'sport' }, timestamp: at(0) })
    const shared = { distinctId: 'visitor-1', event: 'article shared', uuid: '01a222d2-023a-7a02-b295-5a90f00c4452', properties: { $process_person_profile: false, network: 'mail', to: { count: 2 } }, timestamp: at(1) }
    posthog.capture(shared)
    posthog.capture({ distinctId: 'reader-7', event: 'subscribed now', properties: { revenue: 4.5, currency: 'EUR' }, timestamp: at(2) })
    posthog.identify({ distinctId: 'reader-7', properties: { plan: 'premium', address: { city: 'Bern' } } })
    posthog.groupIdentify({ groupType: 'team', groupKey: 'team-3', properties: { name: 'The team' }, distinctId: 'reader-7' })
    posthog.alias({ distinctId: 'reader-7', alias: 'reader-8' })
    await posthog.flush()
    posthog.capture(shared)
    await posthog.shutdown()
    calm(recorder.exchanges, console.complaints, [shared.uuid])
    assert.deepEqual(recorder.exchanges.map((e) => e.answered['x-readership-verdict']), ['stored', 'duplicate'])

    const sent = JSON.parse(bodyText(recorder.exchanges[0])).batch
    const reader = { device: 'account:reader-7', account: 'reader-7' }
    const time = (i) => (stored) => Math.abs(Date.parse(sent[i].timestamp) - Date.parse(stored)) < 1000
    sameRows(await server.events(), [
      {
        ...reader,
        type: 'page_view',
        time: time(0),
        url: page.$current_url,
        host: 'news.example',
        path: '/sport/final',
        item: 'news.example/sport/final',
        utm_medium: 'mail',
        title: 'The final',
        referrer: page.$referrer,
        referrer_host: 'www.search.example',
        properties: { desk: 'sport' },
      },
      { type: 'article shared', time: time(1), device: 'visitor-1', properties: { network: 'mail', 'to.count': 2 } },
      { ...reader, type: 'subscribed now', time: time(2), value: 4.5, currency: 'EUR' },
      { ...reader, type: 'identify', time: time(3), properties: { 'traits.plan': 'premium', 'traits.address.city': 'Bern' } },
      { ...reader, type: 'group', time: time(4), properties: { group: 'team-3', group_type: 'team', 'group.name': 'The team' } },
      { ...reader, type: 'alias', time: time(5), properties: { previous_id: 'reader-8' } },
    ])
    await repeated(server, recorder)
  })
}
