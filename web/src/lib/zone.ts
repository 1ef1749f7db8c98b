/** Calendar arithmetic in an IANA time zone. Instants are Unix milliseconds. */

export interface LocalTime {
  year: number
  month: number // 1 to 12
  day: number
  hour: number
  minute: number
}

const minute = 60_000
const formats = new Map<string, Intl.DateTimeFormat>()

function fieldsFormat(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone)
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    formats.set(zone, format)
  }
  return format
}

/** What a clock in the zone shows at an instant. */
export function toLocal(instant: number, zone: string): LocalTime {
  const local: LocalTime = { year: 0, month: 0, day: 0, hour: 0, minute: 0 }
  for (const { type, value } of fieldsFormat(zone).formatToParts(instant)) {
    if (type in local) local[type as keyof LocalTime] = Number(value)
  }
  return local
}

/** How far the zone is ahead of UTC at an instant, in milliseconds. */
export function offsetAt(instant: number, zone: string): number {
  const whole = Math.floor(instant / minute) * minute
  return utc(toLocal(whole, zone)) - whole
}

function utc(t: LocalTime): number {
  return Date.UTC(t.year, t.month - 1, t.day, t.hour, t.minute)
}

/**
 * The instant at which a clock in the zone shows a time. Fields may overflow
 * (day 32, hour -1). A time that a clock change repeats is the earlier of the
 * two; one that it skips is moved on by the length of the gap.
 */
export function fromLocal(t: LocalTime, zone: string): number {
  const wanted = utc(t)
  const before = wanted - offsetAt(wanted - 24 * 60 * minute, zone)
  const after = wanted - offsetAt(wanted + 24 * 60 * minute, zone)
  const fits = [before, after].filter((i) => i + offsetAt(i, zone) === wanted)
  return fits.length > 0 ? Math.min(...fits) : before
}

/** The first instant of the day that an instant lies in, `days` days later. */
export function startOfDay(instant: number, zone: string, days = 0): number {
  const t = toLocal(instant, zone)
  return fromLocal({ ...t, day: t.day + days, hour: 0, minute: 0 }, zone)
}

/** The first instant of the month that an instant lies in, `months` months later. */
export function startOfMonth(instant: number, zone: string, months = 0): number {
  const t = toLocal(instant, zone)
  return fromLocal({ year: t.year, month: t.month + months, day: 1, hour: 0, minute: 0 }, zone)
}

/** The same time of day, `days` days later. */
export function addDays(instant: number, zone: string, days: number): number {
  const t = toLocal(instant, zone)
  return fromLocal({ ...t, day: t.day + days }, zone) + (instant - Math.floor(instant / minute) * minute)
}

/** Whole days between two instants, if both are at the same time of day. */
export function wholeDays(from: number, to: number, zone: string): number | null {
  const a = toLocal(from, zone)
  const b = toLocal(to, zone)
  if (a.hour !== b.hour || a.minute !== b.minute) return null
  const days = Math.round((Date.UTC(b.year, b.month - 1, b.day) - Date.UTC(a.year, a.month - 1, a.day)) / 86_400_000)
  return days > 0 ? days : null
}

const two = (n: number) => String(n).padStart(2, '0')

/** `2026-11-24`, as a clock in the zone has it. */
export function dateText(instant: number, zone: string): string {
  const t = toLocal(instant, zone)
  return `${t.year}-${two(t.month)}-${two(t.day)}`
}

/** `2026-11-24T14:05`, as a clock in the zone has it. */
export function timeText(instant: number, zone: string): string {
  const t = toLocal(instant, zone)
  return `${dateText(instant, zone)}T${two(t.hour)}:${two(t.minute)}`
}

/** Reads what dateText and timeText write; null if it is no time. */
export function parseLocal(text: string, zone: string): number | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2}))?$/.exec(text)
  if (!match) return null
  const [year = 0, month = 0, day = 0, hour = 0, minutes = 0] = match.slice(1).map((part) => Number(part || 0))
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minutes > 59) return null
  const t = { year, month, day, hour, minute: minutes }
  if (new Date(utc(t)).getUTCDate() !== day) return null
  return fromLocal(t, zone)
}

/** Whether the browser knows a zone by this name. */
export function isZone(zone: string): boolean {
  try {
    fieldsFormat(zone)
    return true
  } catch {
    return false
  }
}
