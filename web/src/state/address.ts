import { type Filter, decodeFilter, encodeFilter } from '../lib/filters'
import { type Compare, type Resolution, type Span, comparisons, defaultSpan, isSpan, resolutions } from '../lib/span'

/** What a page shows, as far as a link should carry it. */
export interface View {
  span: Span
  zoom: Span | null // a part of the span, seen alone
  resolution: Resolution | null // null: the one that suits the span
  compare: Compare
  metric: string
  filters: Filter[]
}

export const defaultMetric = 'page_views'

export const defaultView: View = {
  span: defaultSpan,
  zoom: null,
  resolution: null,
  compare: 'period',
  metric: defaultMetric,
  filters: [],
}

/** Search parameters: a name has a text, or several. */
export type Search = Record<string, string | string[] | undefined>

/** The parameters of a view; what is as by default is left out. */
export function encodeView(view: View): Search {
  const search: Search = {}
  if (view.span !== defaultView.span) search.span = view.span
  if (view.zoom !== null) search.zoom = view.zoom
  if (view.resolution !== null) search.res = view.resolution
  if (view.compare !== defaultView.compare) search.compare = view.compare
  if (view.metric !== defaultView.metric) search.metric = view.metric
  if (view.filters.length > 0) search.f = view.filters.map(encodeFilter)
  return search
}

/** The view of some parameters; what cannot be read is as by default. */
export function decodeView(search: Search): View {
  const one = (name: string) => [search[name]].flat()[0] ?? ''
  const known = <T extends string>(names: readonly T[], text: string): T | null => names.find((n) => n === text) ?? null
  return {
    span: isSpan(one('span')) ? one('span') : defaultView.span,
    zoom: isSpan(one('zoom')) ? one('zoom') : null,
    resolution: known(resolutions, one('res')),
    compare: known(comparisons, one('compare')) ?? defaultView.compare,
    metric: /^[a-z_]{1,64}$/.test(one('metric')) ? one('metric') : defaultMetric,
    filters: [search.f ?? []].flat().map(decodeFilter).filter((f) => f !== null),
  }
}

/** Reads the part of an address after the `?`. */
export function parseSearch(text: string): Search {
  const search: Search = {}
  for (const [name, value] of new URLSearchParams(text)) {
    const old = search[name]
    search[name] = old === undefined ? value : [old, value].flat()
  }
  return search
}

/** Writes what parseSearch reads, `?` included; "" if there is nothing. */
export function stringifySearch(search: Search): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(search)) {
    for (const v of [value ?? []].flat()) params.append(name, v)
  }
  // These may stand in a query as they are, and a link is read by people too.
  const text = params.toString().replace(/%(3A|2C|2F)/g, (c) => decodeURIComponent(c))
  return text === '' ? '' : `?${text}`
}
