// Umami's script as its package has it, in a tag with the site's id.
import source from '../node_modules/.umami/src/tracker/index.js' with { type: 'text' }

const { collect } = window.harness
const tag = document.createElement('script')
tag.dataset.websiteId = '0f1a2b3c-1111-4222-8333-444455556666'
tag.dataset.hostUrl = collect
tag.dataset.autoTrack = 'false'
tag.text = source
document.head.append(tag)
void (async () => {
  await window.umami.track()
  await window.umami.track('Article Shared', { network: 'mail', count: 2 })
  await window.umami.identify({ plan: 'gold' })
  window.harness.done = true
})()
