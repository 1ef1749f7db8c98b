import posthog from 'posthog-js'

const { collect, key } = window.harness
posthog.init(key, { api_host: collect, loaded: run })

function run() {
  posthog.capture('article shared', { network: 'mail', count: 2, first: true, article: { id: 'a1', tags: ['a', 'b'] } })
  posthog.identify('reader-7', { plan: 'premium', age: 41 })
  posthog.group('team', 'team-3', { name: 'The team' })
  posthog.alias('reader-8')
  window.harness.done = true
}
