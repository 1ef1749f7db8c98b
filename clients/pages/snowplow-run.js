import { enableActivityTracking, newTracker, setUserId, trackPageView, trackSelfDescribingEvent, trackStructEvent } from '@snowplow/browser-tracker'

/** Sends an event of each kind; pings come while the page is used. */
export function run(site, options) {
  newTracker('sp', window.harness.collect, { appId: site, contexts: { webPage: true, session: true }, ...options })
  enableActivityTracking({ minimumVisitLength: 1, heartbeatDelay: 1 })
  trackPageView({ context: [{ schema: 'iglu:example.news/article/jsonschema/1-0-0', data: { desk: 'sport', words: 800 } }] })
  trackStructEvent({ category: 'article', action: 'share', label: 'mail', property: 'top', value: 2.5 })
  trackSelfDescribingEvent({ event: { schema: 'iglu:example.news/article_shared/jsonschema/1-0-0', data: { network: 'mail', count: 2, first: true } } })
  setUserId('reader-7')
  trackStructEvent({ category: 'account', action: 'signed in' })
  window.harness.done = true
}
