// Sends page views, engagement and custom events of a page that is tagged for
// Plausible: <script defer data-domain="news.example" src="…/js/script.js">.
(() => {
  const script = document.currentScript
  const domain = script.dataset.domain || location.hostname
  const api = script.dataset.api || new URL('../api/event', script.src).href
  const before = window.plausible && window.plausible.q

  // The page that engagement is of, and what is known of it since it was last sent.
  let page
  let since = 0 // when it became visible; 0: it is not
  let read = 0 // milliseconds visible before
  let scrolled = 0 // pixels from the top that have been seen
  let sent = -1 // share that was sent

  const ignored = () => {
    try {
      return localStorage.plausible_ignore === 'true'
    } catch {
      return false // storage may be forbidden
    }
  }
  const send = (event, done) =>
    fetch(api, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, keepalive: true, body: JSON.stringify({ d: domain, v: 1, ...event }) }).then(
      (answer) => done && done({ status: answer.status }),
      (error) => done && done({ error }),
    )
  const height = () => Math.max(document.documentElement.scrollHeight, document.body ? document.body.scrollHeight : 0, 1)
  const look = () => (scrolled = Math.max(scrolled, scrollY + innerHeight))
  const share = () => Math.min(100, Math.round((scrolled / height()) * 100))
  const time = () => read + (since ? Date.now() - since : 0)

  const engagement = () => {
    if (!page || (time() < 3000 && share() <= sent)) return
    send({ n: 'engagement', u: page.u, p: page.p, e: time(), sd: share() })
    sent = share()
    read = 0
    since = since && Date.now()
  }
  const watch = () => {
    const visible = document.visibilityState === 'visible'
    read = time()
    since = visible ? Date.now() : 0
    if (!visible) engagement()
  }

  const plausible = (name, options = {}) => {
    const done = options.callback
    if (ignored()) return done && done()
    const event = { n: name, u: options.u || options.url || location.href, r: document.referrer || null, p: options.props, $: options.revenue }
    if (options.interactive === false) event.i = false
    if (name === 'pageview') {
      engagement()
      page = event
      read = scrolled = 0
      sent = -1
      since = document.visibilityState === 'visible' ? Date.now() : 0
      look()
    }
    send(event, done)
  }

  let path = ''
  const view = () => {
    if (path === location.pathname) return
    path = location.pathname
    plausible('pageview')
  }
  const push = history.pushState
  history.pushState = function (...state) {
    push.apply(this, state)
    view()
  }
  addEventListener('popstate', view)
  addEventListener('scroll', look, { passive: true })
  addEventListener('visibilitychange', watch)
  addEventListener('pagehide', engagement)

  window.plausible = plausible
  plausible.l = true
  for (const call of before || []) plausible(...call)
  if (document.visibilityState === 'prerender') addEventListener('visibilitychange', view, { once: true })
  else view()
})()
