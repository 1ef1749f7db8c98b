// What the reader has said, and who the reader is by that. Nothing is written
// to the browser, or read from it, before there is consent.

import { type Consent, newID } from './event'
import { foreign } from './tag'

type Store = Record<string, string>

let said: Consent | undefined
const memory: Store = {} // lasts as long as the page

export const consent = () => said

const yes = () => said && (said.analytics ?? said.tcf)

/** Where things are kept: the browser's store, with consent and where the page may use it. */
export const store = (): Store => {
  try {
    return yes() ? localStorage : memory
  } catch {
    return memory
  }
}

/** The device to name; undefined where the server's cookie says it, or before consent. */
export const device = () => (foreign && yes() ? (store().rsDevice ||= newID()) : undefined)

/** Takes what the reader says: yes or no to analytics, or an event's `consent`. */
export const setConsent = (to: boolean | Consent) => {
  said = typeof to === 'object' ? to : { analytics: to }
  if (yes()) return
  try {
    // What an earlier consent allowed to keep.
    delete localStorage.rsDevice
    delete localStorage.rsQueue
  } catch {
    // not allowed, so nothing is kept
  }
}
