import { describe, expect, it } from 'vitest'
import { changeOf, formats, splitForClip } from './format'

const en = formats('en-GB')
const de = formats('de')
const at = (text: string) => Date.parse(text)

describe('numbers', () => {
  it('follow the locale', () => {
    expect(en.number(1234567)).toBe('1,234,567')
    expect(de.number(1234567)).toBe('1.234.567')
    expect(de.decimal(1.25)).toBe('1,3')
    expect(en.share(0.4567)).toBe('45.7%')
    expect([en.share(0), en.share(0.00003), en.share(0.0005)]).toEqual(['0%', '< 0.1%', '0.1%'])
  })
  it('are short where there is little room', () => {
    expect(en.short(9999)).toBe('9,999')
    expect(en.short(12345)).toBe('12.3k')
    expect(en.short(2_000_000)).toBe('2M')
  })
  it('are a dash where there is none', () => {
    for (const n of [null, NaN, Infinity]) {
      expect(en.number(n)).toBe('–')
      expect(en.seconds(n)).toBe('–')
      expect(en.share(n)).toBe('–')
    }
  })
})

it('names countries', () => {
  expect([de.country('FR'), en.country('FR'), en.country('(none)')]).toEqual(['Frankreich', 'France', '(none)'])
})

describe('lengths of time', () => {
  it.each([
    [0, '0 s'],
    [59.4, '59 s'],
    [59.6, '1 m 00 s'],
    [185, '3 m 05 s'],
    [7805, '2 h 10 m'],
    [3600 * 12345, '12 345 h'],
  ])('%d', (n, text) => {
    expect(en.seconds(n)).toBe(text)
  })
})

describe('change', () => {
  it('has a sign, unless it is nothing', () => {
    expect(en.change(0.123)).toBe('+12%')
    expect(en.change(-0.5)).toBe('-50%')
    expect(en.change(237.3)).toBe('×238')
    expect(en.change(0.001)).toBe('0%')
    expect(en.change(null)).toBe('')
  })
  it('is none where there is nothing to compare with', () => {
    expect(changeOf(3, 2)).toBe(0.5)
    expect(changeOf(3, 0)).toBeNull()
    expect(changeOf(null, 2)).toBeNull()
  })
})

describe('instants', () => {
  const zone = 'America/Sao_Paulo'
  it('are told in the zone', () => {
    expect(en.time(at('2026-11-24T03:05:00Z'), zone)).toBe('00:05')
    expect(en.clock(at('2026-11-24T03:05:09Z'), 'UTC')).toBe('03:05:09')
    expect(de.day(at('2026-11-24T03:05:00Z'), zone)).toBe('Di., 24. Nov.')
  })
  it('make ranges of days with the last day included', () => {
    expect(en.range(at('2026-11-18T03:00:00Z'), at('2026-11-25T03:00:00Z'), zone)).toMatch(/^18\s?–\s?24 Nov 2026$/)
    expect(en.range(at('2026-11-24T03:00:00Z'), at('2026-11-25T03:00:00Z'), zone)).toMatch(/^Tue,? 24 Nov 2026$/)
  })
  it('make ranges of hours', () => {
    expect(en.range(at('2026-11-24T13:00:00Z'), at('2026-11-24T15:30:00Z'), zone)).toMatch(/24 Nov.*10:00.*12:30/)
  })
})

it('splits long texts so that the end shows', () => {
  expect(splitForClip('short')).toEqual(['short', ''])
  const [head, tail] = splitForClip('https://news.example/a/very/long/path/to-the-story-42', 10)
  expect(head + tail).toBe('https://news.example/a/very/long/path/to-the-story-42')
  expect(tail).toBe('-story-42')
  expect(splitForClip('Opposition calls the tram extension', 12)).toEqual(['Opposition calls the tram', ' extension'])
})
