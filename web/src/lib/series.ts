import { type Range, type Resolution, bucketEnd } from './span'

/** Numbers over time: starts[i] ≤ t < ends[i] has rows[i]; null: nothing can be known. */
export interface Series {
  starts: number[]
  ends: number[]
  rows: ((number | null)[] | null)[]
}

interface Answer {
  results: { dimensions: string[]; metrics: (number | null)[] }[]
  meta: { time_labels?: string[] }
}

/**
 * The series of an answer with time labels. A bucket without a row had nothing
 * happen in it: its counts are 0, its rates null. A bucket that ended before
 * the window began is not known. The series goes on to the end of the range
 * with buckets that are yet to come.
 */
export function seriesOf(
  answer: Answer,
  counts: readonly boolean[],
  range: Range,
  resolution: Resolution,
  zone: string,
  windowFrom: number,
): Series {
  const rows = new Map(answer.results.map((row) => [Date.parse(row.dimensions[0] ?? ''), row.metrics]))
  const starts = (answer.meta.time_labels ?? answer.results.map((row) => row.dimensions[0] ?? '')).map((label) => Date.parse(label))
  const ends = starts.map((start, i) => starts[i + 1] ?? bucketEnd(start, resolution, zone))
  const nothing = counts.map((isCount) => (isCount ? 0 : null))
  const series: Series = {
    starts,
    ends,
    rows: starts.map((start, i) => rows.get(start) ?? ((ends[i] ?? 0) <= windowFrom ? null : nothing)),
  }
  let start = ends.at(-1) ?? range.from
  while (start < range.to) {
    const end = bucketEnd(start, resolution, zone)
    series.starts.push(start)
    series.ends.push(end)
    series.rows.push(null)
    start = end
  }
  return series
}

/** One column of a series, derived from its rows. */
export const column = (series: Series, value: (row: readonly (number | null)[]) => number | null): (number | null)[] =>
  series.rows.map((row) => row && value(row))

/** Fewer values of the same shape, for a sparkline: sums, or means of what is known. */
export function shrink(values: readonly (number | null)[], size: number, how: 'sum' | 'mean'): (number | null)[] {
  if (values.length <= size) return [...values]
  return Array.from({ length: size }, (_, i) => {
    const part = values.slice(Math.floor((i * values.length) / size), Math.floor(((i + 1) * values.length) / size)).filter((v) => v !== null)
    if (part.length === 0) return null
    const sum = part.reduce((a, b) => a + b, 0)
    return how === 'sum' ? sum : sum / part.length
  })
}
