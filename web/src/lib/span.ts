import { addDays, dateText, parseLocal, startOfDay, startOfMonth, timeText, wholeDays } from './zone'

/** From is included, to is not. Unix milliseconds. */
export interface Range {
  from: number
  to: number
}

/** A span as the address has it: a preset, two dates, or two local times. */
export type Span = string

export const presets = ['60m', '24h', 'today', 'yesterday', '7d', '30d', 'month'] as const
export type Preset = (typeof presets)[number]
export const defaultSpan: Preset = '7d'

export const isPreset = (span: Span): span is Preset => (presets as readonly string[]).includes(span)

const bucket = 5 * 60_000
const day = 86_400_000

/**
 * The instants of a span. Rolling spans end with the 5 minutes under way, so
 * that every bucket of theirs is whole; the others begin and end at midnight
 * of the site's zone. null if the text is no span.
 */
export function resolveSpan(span: Span, now: number, zone: string): Range | null {
  const end = Math.floor(now / bucket) * bucket + bucket
  switch (span) {
    case '60m':
      return { from: end - 60 * 60_000, to: end }
    case '24h':
      return { from: end - day, to: end }
    case 'today':
      return { from: startOfDay(now, zone), to: startOfDay(now, zone, 1) }
    case 'yesterday':
      return { from: startOfDay(now, zone, -1), to: startOfDay(now, zone) }
    case '7d':
      return { from: startOfDay(now, zone, -6), to: startOfDay(now, zone, 1) }
    case '30d':
      return { from: startOfDay(now, zone, -29), to: startOfDay(now, zone, 1) }
    case 'month':
      return { from: startOfMonth(now, zone), to: startOfDay(now, zone, 1) }
  }
  const [a = '', b = '', rest] = span.split('..')
  if (rest !== undefined || a.length !== b.length) return null
  const from = parseLocal(a, zone)
  let to = parseLocal(b, zone)
  if (from === null || to === null) return null
  if (b.length === 10) to = startOfDay(to, zone, 1) // the last day is included
  return from < to ? { from, to } : null
}

/** The span of whole days from one instant's day to another's. */
export function spanOfDays(a: number, b: number, zone: string): Span {
  return `${dateText(Math.min(a, b), zone)}..${dateText(Math.max(a, b), zone)}`
}

/** The span between two instants, to the minute. */
export function spanOfTimes(range: Range, zone: string): Span {
  return `${timeText(range.from, zone)}..${timeText(range.to, zone)}`
}

/** Whether a text is a span in some zone. */
export const isSpan = (span: Span): boolean => resolveSpan(span, Date.UTC(2026, 0, 15), 'UTC') !== null

export const comparisons = ['period', 'week', 'off'] as const
export type Compare = (typeof comparisons)[number]

/**
 * The range to compare with: as long as this one and just before it, or the
 * same days a week earlier. Whole days stay whole days across clock changes.
 */
export function rangeBefore(range: Range, compare: Exclude<Compare, 'off'>, zone: string): Range {
  if (compare === 'week') {
    // At least as many weeks back as the range is long, or it would overlap.
    const weeks = Math.max(1, Math.ceil((range.to - range.from - 3_600_000) / (7 * day)))
    return shiftDays(range, -7 * weeks, zone)
  }
  const days = wholeDays(range.from, range.to, zone)
  if (days !== null) return shiftDays(range, -days, zone)
  return { from: range.from - (range.to - range.from), to: range.from }
}

const shiftDays = (range: Range, days: number, zone: string): Range => ({
  from: addDays(range.from, zone, days),
  to: addDays(range.to, zone, days),
})

/**
 * The part of a range that has happened, and the part of the earlier range
 * that is fair to compare with it: as much of it as of this one.
 */
export function soFar(range: Range, before: Range | null, now: number): { range: Range; before: Range | null } {
  const end = Math.floor(now / bucket) * bucket + bucket
  if (end >= range.to || end <= range.from) return { range, before }
  const left = range.to - end
  return {
    range: { from: range.from, to: end },
    before: before && { from: before.from, to: Math.max(before.from + 1, before.to - left) },
  }
}

export const resolutions = ['5min', 'hour', 'day'] as const
export type Resolution = (typeof resolutions)[number]

const bucketMillis: Record<Resolution, number> = { '5min': bucket, hour: 3_600_000, day }

/** What a query answers at most. */
export const maxBuckets = 10_000

export const bucketCount = (range: Range, resolution: Resolution): number =>
  Math.ceil((range.to - range.from) / bucketMillis[resolution]) + 1

export const isPossible = (range: Range, resolution: Resolution): boolean => bucketCount(range, resolution) <= maxBuckets

/** The resolution that a range is best seen at. */
export function defaultResolution(range: Range): Resolution {
  const length = range.to - range.from
  if (length <= 1.5 * day) return '5min'
  return length <= 9 * day ? 'hour' : 'day'
}

/** The end of the bucket that begins at an instant. */
export function bucketEnd(start: number, resolution: Resolution, zone: string): number {
  return resolution === 'day' ? startOfDay(start, zone, 1) : start + bucketMillis[resolution]
}
