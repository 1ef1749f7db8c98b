// The tracker of a page that carries Plausible's tag.

import type { Properties } from './event'
import { run } from './run'
import { options, tag } from './tag'
import { send, setProperties } from './view'

interface Options {
  props?: Properties
  u?: string
  revenue?: { amount: number; currency: string }
  callback?: () => void
}

type Call = [name: string, options?: Options]

const page = window as unknown as { plausible?: ((...call: Call) => void) & { q?: Iterable<Call> } }

const plausible = (...[name, { props, u, revenue, callback } = {}]: Call) => {
  send(name === 'pageview' ? 'page_view' : name, props, { ...(u && { url: u }), ...(revenue && { value: revenue.amount, currency: revenue.currency }) })
  callback?.()
}

run(() => {
  const own: Properties = {}
  for (const { name, value } of tag.attributes) if (name.startsWith('event-')) own[name.slice(6)] = value
  setProperties(own)
  if (/\.hash\b/.test(tag.src)) options.hash = ''
  const before = page.plausible?.q ?? []
  page.plausible = plausible
  for (const call of before) plausible(...call)
})
