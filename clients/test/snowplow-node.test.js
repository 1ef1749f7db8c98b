// @snowplow/node-tracker: a server's payloads, by POST and by GET.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { buildPageView, buildScreenView, buildSelfDescribingEvent, buildStructEvent, newTracker } from '@snowplow/node-tracker'
import { calm, listen, repeated, sameRows } from '../harness/compare.js'
import { record } from '../harness/recorder.js'
import { start } from '../harness/server.js'

for (const eventMethod of ['post', 'get']) {
  test(eventMethod, async (t) => {
    const server = await start()
    t.after(server.stop)
    const recorder = await record(server.url)
    t.after(recorder.close)
    const console = listen()
    t.after(console.end)
    const failed = (failure) => console.complaints.push(`tracker: ${failure.status} ${failure.message}`)
    const tracker = newTracker({ namespace: 'sp', appId: 'news' }, { endpoint: recorder.url, eventMethod, bufferSize: 10, onRequestFailure: failed })
    tracker.setDomainUserId('device-1')
    tracker.setUserId('reader-7')
    const at = (seconds) => ({ type: 'ttm', value: Date.now() - 60_000 + seconds * 1000 })
    const times = [at(0), at(1), at(2), at(3)]
    tracker.track(buildPageView({ pageUrl: 'https://news.example/sport/final?utm_medium=mail', pageTitle: 'The final', referrer: 'https://www.search.example/' }), [], times[0])
    tracker.track(buildStructEvent({ category: 'article', action: 'share', label: 'mail', property: 'top', value: 2.5 }), [], times[1])
    const article = { schema: 'iglu:example.news/article/jsonschema/1-0-0', data: { desk: 'sport' } }
    tracker.track(buildSelfDescribingEvent({ event: { schema: 'iglu:example.news/article_shared/jsonschema/1-0-0', data: { network: 'mail', to: { count: 2 } } } }), [article], times[2])
    tracker.track(buildScreenView({ name: 'Front page', id: 'screen-1' }), [], times[3])
    await tracker.flush()
    await recorder.until((seen) => seen.length === (eventMethod === 'post' ? 1 : 4))
    calm(recorder.exchanges, console.complaints)
    assert.ok(recorder.exchanges.every((e) => e.answered['x-readership-verdict'] === 'stored'))

    const reader = { device: 'device-1', account: 'reader-7' }
    const time = (i) => (stored) => Date.parse(stored) === times[i].value
    sameRows(await server.events(), [
      {
        ...reader,
        type: 'page_view',
        time: time(0),
        url: 'https://news.example/sport/final?utm_medium=mail',
        host: 'news.example',
        path: '/sport/final',
        item: 'news.example/sport/final',
        utm_medium: 'mail',
        title: 'The final',
        referrer: 'https://www.search.example/',
        referrer_host: 'www.search.example',
      },
      { ...reader, type: 'share', time: time(1), properties: { category: 'article', label: 'mail', property: 'top', value: 2.5 } },
      { ...reader, type: 'article_shared', time: time(2), properties: { network: 'mail', 'to.count': 2, 'article.desk': 'sport' } },
      { ...reader, type: 'page_view', time: time(3), title: 'Front page', properties: { name: 'Front page', id: 'screen-1' } },
    ])
    await repeated(server, recorder)
  })
}
