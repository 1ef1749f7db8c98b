import { run } from './snowplow-run.js'

run('news', { eventMethod: 'get', encodeBase64: true })
