import { run } from './snowplow-run.js'

run('news-tag', { anonymousTracking: { withServerAnonymisation: true } })
