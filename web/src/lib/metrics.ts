import type { Key } from '../i18n'
import type { Format } from './format'

type Numbers = readonly (number | null)[]

/** What is asked of the server, in this order, for figures and their charts. */
export const asked = ['page_views', 'visitors', 'visits', 'bounce_rate', 'visit_seconds', 'engaged_seconds_per_view'] as const

/** A figure of the Audience page. */
export interface Metric {
  id: (typeof asked)[number]
  name: Key
  about: Key
  /** Counts are bars from zero; rates are lines, and null where there is nothing to divide. */
  kind: 'count' | 'rate'
  /** Whether less of it is better. */
  fallsWell?: boolean
  text: (n: number | null, f: Format) => string
  axis: (n: number | null, f: Format) => string
}

const count = (n: number | null, f: Format) => f.number(n)
const short = (n: number | null, f: Format) => f.short(n)
const seconds = (n: number | null, f: Format) => f.seconds(n)
const share = (n: number | null, f: Format) => f.share(n)

export const metrics: readonly Metric[] = [
  { id: 'page_views', name: 'metric.page_views', about: 'about.page_views', kind: 'count', text: count, axis: short },
  { id: 'visitors', name: 'metric.visitors', about: 'about.visitors', kind: 'count', text: count, axis: short },
  { id: 'visits', name: 'metric.visits', about: 'about.visits', kind: 'count', text: count, axis: short },
  { id: 'engaged_seconds_per_view', name: 'metric.engaged_seconds_per_view', about: 'about.engaged_seconds_per_view', kind: 'rate', text: seconds, axis: seconds },
  { id: 'visit_seconds', name: 'metric.visit_seconds', about: 'about.visit_seconds', kind: 'rate', text: seconds, axis: seconds },
  { id: 'bounce_rate', name: 'metric.bounce_rate', about: 'about.bounce_rate', kind: 'rate', fallsWell: true, text: share, axis: share },
]

export const metricOf = (id: string): Metric => metrics.find((m) => m.id === id) ?? (metrics[0] as Metric)

/** A metric's value in a row of the numbers that were asked for. */
export const valueIn = (metric: Metric, row: Numbers): number | null => row[asked.indexOf(metric.id)] ?? null
