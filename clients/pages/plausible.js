import { init, track } from '@plausible-analytics/tracker'

// Sends a page view by itself, then custom events; engagement when it is hidden.
const { collect } = window.harness
const answered = (name, options) => new Promise((done) => track(name, { ...options, callback: done }))
init({ domain: 'news.example', endpoint: `${collect}/api/event`, customProperties: { desk: 'sport' } })
void (async () => {
  window.harness.answers = [
    await answered('Article Shared', { props: { network: 'mail', count: 2, first: true } }),
    await answered('Purchase', { revenue: { amount: 15.99, currency: 'USD' }, interactive: false }),
  ]
  window.harness.done = true
})()
