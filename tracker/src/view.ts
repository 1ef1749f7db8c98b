// The page view that is open, and the events of it.

import { begin, engaged, scrolled } from './attention'
import { consent, device } from './consent'
import { now } from './dom'
import { type Event, newID, type Properties } from './event'
import { describe } from './page'
import { push, waiting } from './queue'

const every = 59_000 // ms between engagement events, looked at once a second

let id: string
let from: string // where the reader came from
let page: Event | undefined // undefined: the page view is still to be sent
let said: Event['consent'] // the consent that the page view was sent with
let told: number // engaged milliseconds that were sent
let seen: number // scroll that was sent
let at: number // when that was
let account: string | undefined
let properties: Properties | undefined

/** Begins a view; its page view waits for `announce`. */
export const enter = (referrer: string) => {
  begin()
  page = undefined
  from = referrer
  id = newID()
  told = seen = 0
  at = now()
}

const pushed = (event: Event) => push({ id: newID(), time: Date.now(), device: device(), account, consent: consent(), ...event })

/** Sends the page view, if that is still to do, and returns it. */
export const announce = (): Event => {
  if (!page) {
    page = describe(from, properties)
    said = consent()
    pushed({ ...page, id })
  }
  return page
}

/** Sends an event that happened in the view. */
export const send = (type: string, properties?: Properties, fields?: Partial<Event>) => {
  pushed({ ...announce(), type, properties, ...fields })
}

/** Sends what the view's engagement has grown by. */
export const report = () => {
  announce()
  const millis = engaged()
  const scroll = scrolled()
  at = now()
  if (millis < told + 100 && scroll <= seen) return
  // If the reader has said something since, the view tells whose it is.
  const by = consent() === said ? said : { analytics: false }
  pushed({ type: 'engagement', view: id, engaged_seconds: (millis - told) / 1e3, scroll_percent: scroll, consent: by })
  told = millis
  seen = scroll
}

/** Sends engagement once a minute. */
export const tick = () => {
  if (now() - at >= every) report()
}

/** Says who reads: a claim, copied to the account's events. */
export const identify = (as?: string, traits?: Properties) => {
  account = as
  if (as) send('identify', undefined, { traits })
}

/** Sets properties of the page views to come. */
export const setProperties = (to: Properties) => {
  properties = to
}

/** Takes the reader's word for what was held back for it. */
export const settle = () => {
  for (const event of waiting) {
    event.consent ??= said = consent()
    event.device ??= device()
  }
}
