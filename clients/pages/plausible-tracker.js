import Plausible from 'plausible-tracker'

const { collect } = window.harness
const { trackEvent, trackPageview } = Plausible({ domain: 'news.example', apiHost: collect })
const answered = (send) => new Promise((done) => send({ callback: done }))
void (async () => {
  await answered((options) => trackPageview({}, options))
  await answered((options) => trackEvent('Article Shared', { ...options, props: { network: 'mail', count: 2 } }))
  window.harness.done = true
})()
