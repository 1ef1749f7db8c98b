import { run } from './rudderstack-run.js'

run({ useBeacon: true, beaconQueueOptions: { maxItems: 10, flushQueueInterval: 60_000 } })
