// The script element that loads the tracker: its attributes are the options,
// its address says where the server is.

import { all } from './dom'

export const tag = (document.currentScript ?? all('script[data-key]')[0]) as HTMLScriptElement

export const options = tag.dataset

/** The server's address with a slash at its end: the script's own, without the script. */
export const base = tag.src.replace(/[^/]*$/, '')

const site = (host: string) => /[^.]*\.?[^.]*$/.exec(host)![0]

/**
 * Whether the server is on another site than the page: browsers keep its cookies
 * from it then, so the tracker has to name the device. `data-device` says so
 * where two names end alike and are two sites all the same.
 */
export const foreign = 'device' in options || site(new URL(base).hostname) !== site(location.hostname)
