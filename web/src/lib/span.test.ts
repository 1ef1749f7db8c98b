import { describe, expect, it } from 'vitest'
import { bucketEnd, defaultResolution, isPossible, isSpan, presets, rangeBefore, resolveSpan, soFar, spanOfDays, spanOfTimes } from './span'

const at = (text: string) => Date.parse(text)
const range = (from: string, to: string) => ({ from: at(from), to: at(to) })
const zone = 'America/Sao_Paulo' // UTC-3
const now = at('2026-11-24T14:02:30Z')

describe('resolveSpan', () => {
  it.each([
    ['60m', '2026-11-24T13:05:00Z', '2026-11-24T14:05:00Z'],
    ['24h', '2026-11-23T14:05:00Z', '2026-11-24T14:05:00Z'],
    ['today', '2026-11-24T03:00:00Z', '2026-11-25T03:00:00Z'],
    ['yesterday', '2026-11-23T03:00:00Z', '2026-11-24T03:00:00Z'],
    ['7d', '2026-11-18T03:00:00Z', '2026-11-25T03:00:00Z'],
    ['30d', '2026-10-26T03:00:00Z', '2026-11-25T03:00:00Z'],
    ['month', '2026-11-01T03:00:00Z', '2026-11-25T03:00:00Z'],
    ['2026-11-02..2026-11-03', '2026-11-02T03:00:00Z', '2026-11-04T03:00:00Z'],
    ['2026-11-02T10:00..2026-11-02T12:30', '2026-11-02T13:00:00Z', '2026-11-02T15:30:00Z'],
  ])('%s', (span, from, to) => {
    expect(resolveSpan(span, now, zone)).toEqual(range(from, to))
  })
  it('refuses what is no span', () => {
    for (const span of ['', '8d', '2026-11-03..2026-11-02', '2026-11-02..2026-11-02T12:00', 'a..b', '2026-11-01..2026-11-02..2026-11-03']) {
      expect(isSpan(span)).toBe(false)
    }
    for (const span of presets) expect(isSpan(span)).toBe(true)
  })
  it('reads what it writes', () => {
    const days = range('2026-11-02T03:00:00Z', '2026-11-04T03:00:00Z')
    expect(resolveSpan(spanOfDays(days.to - 1, days.from, zone), now, zone)).toEqual(days)
    const times = range('2026-11-02T13:00:00Z', '2026-11-02T15:30:00Z')
    expect(resolveSpan(spanOfTimes(times, zone), now, zone)).toEqual(times)
  })
})

describe('rangeBefore', () => {
  it('is as long and just before', () => {
    expect(rangeBefore(range('2026-11-18T03:00:00Z', '2026-11-25T03:00:00Z'), 'period', zone)).toEqual(range('2026-11-11T03:00:00Z', '2026-11-18T03:00:00Z'))
    expect(rangeBefore(range('2026-11-24T13:00:00Z', '2026-11-24T14:00:00Z'), 'period', zone)).toEqual(range('2026-11-24T12:00:00Z', '2026-11-24T13:00:00Z'))
  })
  it('keeps whole days whole across a clock change', () => {
    expect(rangeBefore(range('2026-03-29T22:00:00Z', '2026-03-30T22:00:00Z'), 'period', 'Europe/Berlin')).toEqual(range('2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z'))
  })
  it('goes back by weeks without overlapping', () => {
    expect(rangeBefore(range('2026-11-24T03:00:00Z', '2026-11-25T03:00:00Z'), 'week', zone)).toEqual(range('2026-11-17T03:00:00Z', '2026-11-18T03:00:00Z'))
    expect(rangeBefore(range('2026-11-15T03:00:00Z', '2026-11-25T03:00:00Z'), 'week', zone)).toEqual(range('2026-11-01T03:00:00Z', '2026-11-11T03:00:00Z'))
  })
})

describe('soFar', () => {
  const today = range('2026-11-24T03:00:00Z', '2026-11-25T03:00:00Z')
  const yesterday = range('2026-11-23T03:00:00Z', '2026-11-24T03:00:00Z')
  it('cuts both ranges alike', () => {
    expect(soFar(today, yesterday, now)).toEqual({
      range: range('2026-11-24T03:00:00Z', '2026-11-24T14:05:00Z'),
      before: range('2026-11-23T03:00:00Z', '2026-11-23T14:05:00Z'),
    })
  })
  it('leaves what is over as it is', () => {
    expect(soFar(yesterday, null, now)).toEqual({ range: yesterday, before: null })
  })
})

describe('resolution', () => {
  it('follows the length of the range', () => {
    expect(defaultResolution(range('2026-11-24T00:00:00Z', '2026-11-25T00:00:00Z'))).toBe('5min')
    expect(defaultResolution(range('2026-11-18T00:00:00Z', '2026-11-25T00:00:00Z'))).toBe('hour')
    expect(defaultResolution(range('2026-10-18T00:00:00Z', '2026-11-25T00:00:00Z'))).toBe('day')
  })
  it('stays within what a query answers', () => {
    expect(isPossible(range('2026-10-26T00:00:00Z', '2026-11-25T00:00:00Z'), '5min')).toBe(true)
    expect(isPossible(range('2026-09-26T00:00:00Z', '2026-11-25T00:00:00Z'), '5min')).toBe(false)
  })
  it('has days as long as the zone has them', () => {
    const start = at('2026-03-28T23:00:00Z')
    expect(bucketEnd(start, 'day', 'Europe/Berlin') - start).toBe(23 * 3_600_000)
    expect(bucketEnd(start, 'hour', 'Europe/Berlin') - start).toBe(3_600_000)
  })
})
