// Events on their way. One request is out at a time, so that the cookie of the
// first answer comes with the second request. What fails is sent again, with the
// same ids, for as long as the page is open and, with consent, from the next one.

import { address, body, most } from '#wire'
import { store } from './consent'
import type { Event } from './event'
import { min } from './dom'
import { foreign } from './tag'

/** Sends a body, also when the page goes meanwhile. */
export const post = (to: string, body: string, credentials: RequestCredentials, headers?: HeadersInit) =>
  fetch(to, { method: 'POST', body, credentials, headers: headers!, keepalive: body.length < 6e4 })

const bound = 100 // of waiting; the oldest gives way
export const waiting: Event[] = []
let out = 0 // the first of waiting, in the request that is under way
let failures = 0
/** Ends with the request that was sent last. */
export let last: Promise<void> | undefined
let timer = 0
let opened = false

/** Opens the queue, until then nothing is sent. Takes up what an earlier page could not send: two pages that do so send the same ids. */
export const open = () => {
  for (const event of JSON.parse(store().rsQueue || '[]') as Event[]) if (!waiting.some(({ id }) => id === event.id)) waiting.push(event)
  opened = true
  flush()
}

export const push = (event: Event) => {
  waiting.push(event)
  if (waiting.length > bound) waiting.splice(out, 1)
  flush()
}

/** Sends what waits; when the page may be about to go, in a way that outlives it. */
export const flush = (leaving?: boolean) => {
  if (!opened) return
  // A beacon would carry the cookies of a server on another site: it goes as a request.
  if (leaving && !foreign) {
    while (waiting.length > out && navigator.sendBeacon(address(), body(waiting.slice(out, out + most)))) waiting.splice(out, most)
  } else if (waiting.length && !out && (leaving || !timer)) {
    out = min(most, waiting.length)
    last = post(address(), body(waiting.slice(0, out)), foreign ? 'omit' : 'include').then(answered, answered)
  }
  try {
    store().rsQueue = JSON.stringify(waiting)
  } catch {
    // the store is full
  }
}

const again = () => {
  timer = 0
  flush()
}

const answered = (answer: Response | Error) => {
  const { status, headers } = answer as Partial<Response>
  if (status && status < 500 && status !== 408 && status !== 429) {
    waiting.splice(0, out)
    failures = 0
  } else timer ||= setTimeout(again, min(+(headers?.get('Retry-After') || 2 ** failures++), 300) * 1e3)
  out = 0
  flush()
}
