import { startOfDay } from './zone'

/** Numbers, shares, lengths of time and instants as people read them. */

export interface Format {
  number(n: number | null): string
  /** At most four characters where a number has little room: 12.3k. */
  short(n: number | null): string
  decimal(n: number | null): string
  share(n: number | null): string
  seconds(n: number | null): string
  /** +12 %, with a sign, or ×24; "" where there is nothing to compare with. */
  change(n: number | null): string
  time(instant: number, zone: string): string
  clock(instant: number, zone: string): string
  date(instant: number, zone: string): string
  dateTime(instant: number, zone: string): string
  day(instant: number, zone: string): string
  month(instant: number, zone: string): string
  range(from: number, to: number, zone: string): string
  list(items: string[]): string
  /** The name of a country by its two letters. */
  country(code: string): string
}

const nothing = '–'

/** The formats of a locale, such as `en-GB` or `de`. */
export function formats(locale: string): Format {
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 })
  const tenths = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 })
  const oneDigit = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 })
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 })
  const signed = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0, signDisplay: 'exceptZero' })
  const list = new Intl.ListFormat(locale, { type: 'disjunction' })
  const regions = new Intl.DisplayNames(locale, { type: 'region' })
  const dates = new Map<string, Intl.DateTimeFormat>()
  const dated = (zone: string, options: Intl.DateTimeFormatOptions) => {
    const key = zone + JSON.stringify(options)
    let format = dates.get(key)
    if (!format) {
      format = new Intl.DateTimeFormat(locale, { timeZone: zone, hourCycle: 'h23', ...options })
      dates.set(key, format)
    }
    return format
  }
  const orNothing = (write: (n: number) => string) => (n: number | null) => (n === null || !Number.isFinite(n) ? nothing : write(n))
  const time = { hour: '2-digit', minute: '2-digit' } as const
  const date = { day: 'numeric', month: 'short' } as const

  const f: Format = {
    number: orNothing((n) => whole.format(n)),
    short: orNothing((n) => {
      const size = Math.abs(n)
      if (size < 10_000) return whole.format(n)
      return size < 999_950 ? `${tenths.format(n / 1e3)}k` : `${tenths.format(n / 1e6)}M`
    }),
    decimal: orNothing((n) => oneDigit.format(n)),
    share: orNothing((n) => (n > 0 && n < 0.0005 ? `< ${percent.format(0.001)}` : percent.format(n))),
    seconds: orNothing(lengthOfTime),
    change: (n) => (n === null || !Number.isFinite(n) ? '' : n >= 10 ? `×${whole.format(n + 1)}` : signed.format(n)),
    time: (i, zone) => dated(zone, time).format(i),
    clock: (i, zone) => dated(zone, { ...time, second: '2-digit' }).format(i),
    date: (i, zone) => dated(zone, date).format(i),
    dateTime: (i, zone) => dated(zone, { weekday: 'short', ...date, ...time }).format(i),
    day: (i, zone) => dated(zone, { weekday: 'short', ...date }).format(i),
    month: (i, zone) => dated(zone, { month: 'long', year: 'numeric' }).format(i),
    range: (from, to, zone) => {
      const midnight = (i: number) => startOfDay(i, zone) === i
      if (midnight(from) && midnight(to)) {
        const last = to - 1
        const day = dated(zone, { weekday: 'short', ...date, year: 'numeric' })
        return day.format(from) === day.format(last) ? day.format(from) : dated(zone, { ...date, year: 'numeric' }).formatRange(from, last)
      }
      return dated(zone, { ...date, ...time }).formatRange(from, to)
    },
    list: (items) => list.format(items),
    country: (code) => (/^[A-Z]{2}$/.test(code) ? (regions.of(code) ?? code) : code),
  }
  return f
}

/** 42 s, 3 m 05 s, 2 h 10 m. */
function lengthOfTime(n: number): string {
  const whole = Math.round(n)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${String(whole % 60).padStart(2, '0')} s`
  const hours = Math.floor(whole / 3600)
  if (hours < 100) return `${hours} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} m`
  return `${hours.toLocaleString('en').replace(',', ' ')} h`
}

/** The relative change from one number to another; null where there is none. */
export function changeOf(now: number | null, before: number | null): number | null {
  if (now === null || before === null || before === 0) return null
  return (now - before) / Math.abs(before)
}

/**
 * Splits a text so that its middle can be clipped: the tail, of that many
 * letters at most, always shows. It begins at a word where there is one.
 */
export function splitForClip(text: string, tail = 14): [head: string, tail: string] {
  const letters = Array.from(text)
  if (letters.length <= tail * 2) return [text, '']
  const end = letters.slice(-tail)
  const word = end.findIndex((l, i) => i < tail - 2 && /[\s/\-–_]/.test(l))
  const cut = letters.length - tail + Math.max(0, word)
  return [letters.slice(0, cut).join(''), letters.slice(cut).join('')]
}
