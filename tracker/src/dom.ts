// What the other parts ask of the browser.

export const on = (types: string, act: (event: never) => void) => {
  // At the window and first of all: wherever in the page it happens.
  for (const type of types.split(' ')) addEventListener(type, act as EventListener, { capture: true, passive: true })
}

export const all = (selector: string, within: ParentNode = document) => [...within.querySelectorAll<HTMLElement>(selector)]

export const { max, min, round } = Math

/** Milliseconds since the page began; no clock that is set moves them. */
export const now = () => performance.now()
