import { AnalyticsBrowser } from '@segment/analytics-next'

/** Sends a message of each kind. Where to, the tracker asks the collector. */
export async function run(options) {
  const { collect, key } = window.harness
  const analytics = AnalyticsBrowser.load({ writeKey: key, cdnURL: collect }, options)
  await analytics.page('Sport', 'The final', { desk: 'sport' })
  await analytics.track('Article Shared', { network: 'mail', count: 2, first: true, article: { id: 'a1', tags: ['a', 'b'] }, revenue: 4.5, currency: 'EUR' })
  await analytics.identify('reader-7', { plan: 'premium', age: 41, address: { city: 'Bern' } })
  await analytics.group('team-3', { name: 'The team' })
  await analytics.alias('reader-8')
  window.harness.done = true
}
