import { describe, expect, it } from 'vitest'
import { addDays, dateText, fromLocal, isZone, offsetAt, parseLocal, startOfDay, startOfMonth, timeText, toLocal, wholeDays } from './zone'

const at = (text: string) => Date.parse(text)
const berlin = 'Europe/Berlin'

describe('local time', () => {
  it('is read and written in the zone', () => {
    expect(toLocal(at('2026-11-24T03:30:00Z'), 'America/Sao_Paulo')).toEqual({ year: 2026, month: 11, day: 24, hour: 0, minute: 30 })
    expect(timeText(at('2026-11-24T03:30:00Z'), 'America/Sao_Paulo')).toBe('2026-11-24T00:30')
    expect(dateText(at('2026-11-24T02:30:00Z'), 'America/Sao_Paulo')).toBe('2026-11-23')
  })
  it('knows offsets that are not whole hours, and before 1970', () => {
    expect(offsetAt(at('2026-01-01T00:00:00Z'), 'Asia/Kolkata')).toBe(330 * 60_000)
    expect(offsetAt(at('1969-07-20T20:17:40Z'), 'UTC')).toBe(0)
  })
  it('goes back and forth', () => {
    for (const text of ['2026-01-15T12:34', '2026-07-15T00:00', '2024-02-29T23:59']) {
      const instant = parseLocal(text, berlin)
      expect(instant).not.toBeNull()
      expect(timeText(instant ?? 0, berlin)).toBe(text)
    }
  })
  it('takes the earlier of a repeated hour and moves on from a skipped one', () => {
    expect(fromLocal({ year: 2026, month: 10, day: 25, hour: 2, minute: 30 }, berlin)).toBe(at('2026-10-25T00:30:00Z'))
    expect(fromLocal({ year: 2026, month: 3, day: 29, hour: 2, minute: 30 }, berlin)).toBe(at('2026-03-29T01:30:00Z'))
  })
  it('refuses what is no time', () => {
    for (const text of ['', '2026-13-01', '2026-02-30', '2026-1-1', '2026-01-01T24:00', 'yesterday']) {
      expect(parseLocal(text, berlin)).toBeNull()
    }
  })
})

describe('calendar', () => {
  it('begins days at local midnight', () => {
    expect(startOfDay(at('2026-11-24T02:30:00Z'), 'America/Sao_Paulo')).toBe(at('2026-11-23T03:00:00Z'))
  })
  it('has days of 23 and 25 hours', () => {
    const spring = at('2026-03-29T10:00:00Z')
    expect(startOfDay(spring, berlin, 1) - startOfDay(spring, berlin)).toBe(23 * 3_600_000)
    const autumn = at('2026-10-25T10:00:00Z')
    expect(startOfDay(autumn, berlin, 1) - startOfDay(autumn, berlin)).toBe(25 * 3_600_000)
  })
  it('crosses months and years', () => {
    expect(startOfDay(at('2026-03-02T00:00:00Z'), 'UTC', -3)).toBe(at('2026-02-27T00:00:00Z'))
    expect(startOfMonth(at('2026-01-31T00:00:00Z'), 'UTC', -1)).toBe(at('2025-12-01T00:00:00Z'))
  })
  it('keeps the time of day across a clock change', () => {
    expect(addDays(at('2026-03-28T11:00:00.500Z'), berlin, 1)).toBe(at('2026-03-29T10:00:00.500Z'))
  })
  it('counts whole days only where there are some', () => {
    expect(wholeDays(at('2026-03-27T23:00:00Z'), at('2026-03-30T22:00:00Z'), berlin)).toBe(3)
    expect(wholeDays(at('2026-03-28T00:00:00Z'), at('2026-03-28T06:00:00Z'), berlin)).toBeNull()
  })
})

it('tells zones from other names', () => {
  expect(isZone('Europe/Berlin')).toBe(true)
  expect(isZone('Mars/Olympus')).toBe(false)
})
