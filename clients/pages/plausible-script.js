// A page that is tagged for Plausible, with the host name changed.
const { collect } = window.harness
window.plausible = window.plausible || ((...call) => (window.plausible.q = window.plausible.q || []).push(call))
window.plausible('Early', { props: { network: 'mail' } })
const tag = document.createElement('script')
tag.src = `${collect}/js/script.js`
tag.dataset.domain = 'news.example'
tag.onload = () => window.plausible('Late', { props: { count: 2 }, callback: () => (window.harness.done = true) })
document.head.append(tag)
