// How events are written for addresses of Plausible.

import type { Event } from './event'
import { options, tag } from './tag'

export const most = 1

/** Where the tag says, else beside the folder of the script. */
export const address = () => new URL(options.api ?? '../api/event', tag.src).href

export const body = ([event]: Event[]) => {
  const { id, view, type, url, referrer, properties, engaged_seconds, scroll_percent, value, currency } = event!
  return JSON.stringify({
    n: type === 'page_view' ? 'pageview' : type,
    d: options.domain ?? location.hostname,
    u: url ?? location.href,
    r: referrer,
    p: properties,
    e: engaged_seconds && engaged_seconds * 1e3,
    sd: scroll_percent,
    h: 'hash' in options ? 1 : undefined,
    $: value && { amount: value, currency },
    // Not Plausible's: what is sent twice is stored once, and engagement finds its view.
    id,
    view: view ?? id,
  })
}
