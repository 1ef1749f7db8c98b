import { RudderAnalytics } from '@rudderstack/analytics-js/bundled'

/** Sends a message of each kind. */
export function run(options) {
  const { collect, key } = window.harness
  const analytics = new RudderAnalytics()
  analytics.load(key, collect, { configUrl: collect, logLevel: 'WARN', ...options })
  analytics.page('Sport', 'The final', { desk: 'sport' })
  analytics.track('Article Shared', { network: 'mail', count: 2, first: true, article: { id: 'a1', tags: ['a', 'b'] } })
  analytics.identify('reader-7', { plan: 'premium', age: 41, address: { city: 'Bern' } })
  analytics.group('team-3', { name: 'The team' })
  analytics.alias('reader-8', 'reader-7')
  analytics.ready(() => {
    window.harness.done = true
  })
}
