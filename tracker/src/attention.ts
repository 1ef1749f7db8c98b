// Engaged time and scroll depth of the page view that is open. Engaged are the
// seconds in which the page is visible and the reader has loaded, focused,
// scrolled, resized, or used mouse or keys within the last five.

import { max, min, now, on, round } from './dom'

const linger = 5000 // that one action counts for, in milliseconds

let acted = 0 // when the last action was
let mark = 0 // up to where time is counted
let shown = false // the page was visible since mark
let millis = 0 // engaged, of this view
let pixels = 0 // from the page's top to the lowest that was seen

/** Engaged milliseconds of this view so far. */
export const engaged = (): number => {
  const to = now()
  if (shown) millis += max(0, min(to, acted + linger) - mark)
  mark = to
  shown = !document.hidden
  return round(millis)
}

/** The share of the page's height that was seen, in whole percent. */
export const scrolled = (): number => {
  if (shown) pixels = max(pixels, scrollY + innerHeight)
  return min(100, round((100 * pixels) / document.documentElement.scrollHeight))
}

const act = (event?: globalThis.Event) => {
  engaged()
  acted = mark
  if (event?.type === 'scroll') scrolled()
}

/** Begins a view: its page was loaded just now. */
export const begin = () => {
  act()
  millis = pixels = 0
}

/** Watches the reader; who sees the page be hidden or shown asks for `engaged`. */
export const watch = () => {
  on('focus scroll wheel resize mousemove mousedown keydown', act)
}
