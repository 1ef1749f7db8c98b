import { run } from './snowplow-run.js'

run('news', {})
