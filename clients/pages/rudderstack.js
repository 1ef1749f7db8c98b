import { run } from './rudderstack-run.js'

run({})
