import { run } from './segment-run.js'

void run({})
