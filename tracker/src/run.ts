// Puts the parts together: the views of a page's life, and the commands that its
// scripts give.

import * as attention from './attention'
import { setConsent } from './consent'
import { on } from './dom'
import type { Consent } from './event'
import { flush, open } from './queue'
import * as slots from './slots'
import { options } from './tag'
import * as view from './view'

/** What makes a page of an application another one. */
const place = () => location.pathname + ('hash' in options ? location.hash : '')

let address: string
let path: string
let guard: () => unknown // announces a view, and decides for it

/** A view begins; with `delay` the page's head has so many milliseconds to follow. */
const enter = (referrer: string, delay?: number) => {
  view.enter(referrer)
  slots.forget()
  address = location.href
  path = place()
  if (delay) setTimeout(guard, delay)
}

const moved = () => {
  if (place() === path) return
  view.report()
  enter(address, 300)
}

const leave = () => {
  view.report()
  flush(true)
}

/** Starts the tracker: `queued` gives it the commands that came before it, `decide` is done for each view, `tick` once a second. */
export function run(queued: () => void, decide?: () => unknown, tick?: () => void) {
  // A page that is loaded ahead has no reader yet; one that is being read in says more at its end.
  const loading = (document as { prerendering?: boolean }).prerendering ? 'prerenderingchange' : document.readyState === 'loading' && 'DOMContentLoaded'
  if (loading) {
    on(loading, () => run(queued, decide, tick))
    return
  }
  guard = decide ?? view.announce
  attention.watch()
  slots.watch()
  enter(document.referrer)
  queued()
  if (options.consent !== 'wait') open()
  guard()
  for (const name of ['pushState', 'replaceState'] as const) {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the history it is called on
    const original = history[name]
    history[name] = function (...args) {
      original.apply(this, args)
      moved()
    }
  }
  on('popstate hashchange', moved)
  on('pagehide visibilitychange', leave)
  on('pageshow', (event: PageTransitionEvent) => event.persisted && enter(document.referrer, 1))
  setInterval(() => {
    view.tick()
    slots.tick()
    tick?.()
  }, 1000)
}

const commands = {
  consent(to: boolean | Consent) {
    setConsent(to)
    view.settle()
    open()
  },
  event: view.send,
  identify: view.identify,
  properties: view.setProperties,
}

export type Command = keyof typeof commands

export const command = (name: Command, ...args: unknown[]) => {
  ;(commands[name] as (...args: unknown[]) => void)(...args)
}
