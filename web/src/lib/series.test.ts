import { describe, expect, it } from 'vitest'
import { column, seriesOf, shrink } from './series'

const at = (text: string) => Date.parse(text)
const hour = 3_600_000

const answer = {
  results: [{ dimensions: ['2026-11-24T11:00:00-03:00'], metrics: [7, 0.5] }],
  meta: { time_labels: ['2026-11-24T09:00:00-03:00', '2026-11-24T10:00:00-03:00', '2026-11-24T11:00:00-03:00'] },
}
const range = { from: at('2026-11-24T12:00:00Z'), to: at('2026-11-24T16:00:00Z') }

describe('seriesOf', () => {
  const series = seriesOf(answer, [true, false], range, 'hour', 'America/Sao_Paulo', at('2026-11-24T13:00:00Z'))
  it('has every bucket of the range', () => {
    expect(series.starts).toEqual([0, 1, 2, 3].map((n) => range.from + n * hour))
    expect(series.ends).toEqual([1, 2, 3, 4].map((n) => range.from + n * hour))
  })
  it('tells nothing happened from nothing known', () => {
    expect(series.rows).toEqual([null, [0, null], [7, 0.5], null])
    expect(column(series, (row) => row[0] ?? null)).toEqual([null, 0, 7, null])
  })
  it('has days of their real length', () => {
    const days = seriesOf(
      { results: [], meta: { time_labels: ['2026-03-28T00:00:00+01:00', '2026-03-29T00:00:00+01:00'] } },
      [true],
      { from: at('2026-03-27T23:00:00Z'), to: at('2026-03-29T22:00:00Z') },
      'day',
      'Europe/Berlin',
      0,
    )
    expect(days.ends.map((end, i) => (end - (days.starts[i] ?? 0)) / hour)).toEqual([24, 23])
  })
})

describe('shrink', () => {
  it('keeps the sum', () => {
    const values = Array.from({ length: 100 }, (_, i) => i)
    const small = shrink(values, 7, 'sum')
    expect(small).toHaveLength(7)
    expect(small.reduce<number>((a, b) => a + (b ?? 0), 0)).toBe(4950)
  })
  it('means what is known and leaves short series alone', () => {
    expect(shrink([1, null, 3, null, null, null], 2, 'mean')).toEqual([2, null])
    expect(shrink([1, null], 5, 'sum')).toEqual([1, null])
  })
})
