// Clicks on links that leave the site, and impressions and clicks of
// recommendation slots: elements with `data-rs-slot`.

import { all, on } from './dom'
import type { Properties } from './event'
import { send } from './view'

const slot = '[data-rs-slot]'
let looks = new Map<Element, number>() // how often in a row a slot was seen; NaN: counted

/** Another view: slots count anew. */
export const forget = () => {
  looks = new Map()
}

const about = (type: string, { dataset: { rsSlot, rsStrategy } }: HTMLElement, more: Properties) => send(type, { slot: rsSlot, strategy: rsStrategy, ...more })

/** Looks, once a second, for slots whose middle is in sight, and counts them the second time. */
export const tick = () => {
  for (const element of document.hidden ? [] : all(slot)) {
    const { top, bottom } = element.getBoundingClientRect()
    const times = looks.get(element) ?? 0
    looks.set(element, top < bottom && top + bottom > 0 && top + bottom < 2 * innerHeight ? times + 1 : times * 0)
    if (times !== 1) continue
    looks.set(element, NaN)
    about('impression', element, { items: all('[data-rs-item]', element).map((item) => item.dataset.rsItem).join() })
  }
}

const clicked = (event: MouseEvent) => {
  const link = event.button < 2 && (event.target as Element).closest<HTMLAnchorElement>('a[href]')
  if (!link) return
  const within = link.closest<HTMLElement>(slot)
  if (within) about('click', within, { target: link.closest<HTMLElement>('[data-rs-item]')?.dataset.rsItem ?? link.href })
  else if (link.host && link.host !== location.host) send('click', { outbound: link.href })
}

export const watch = () => {
  on('click auxclick', clicked)
}
