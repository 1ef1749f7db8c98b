// How events are written for the server's own interface.

import type { Event } from './event'
import { base, options } from './tag'

/** The most events of one request. */
export const most = 50

/** Where they are sent to. */
export const address = () => `${base}v1/events?key=${options.key!}&sent_at=${Date.now()}`

export const body: (events: Event[]) => string = JSON.stringify
