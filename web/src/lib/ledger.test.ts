import { expect, it } from 'vitest'
import { groupLedger, ledgerSeries, linesByKind, splitReason } from './ledger'

const line = (verdict: string, count: number, reason = '') => ({ verdict, reason, count })

it('adds up to everything', () => {
  expect(groupLedger([line('stored', 7), line('duplicate', 2), line('rejected', 3, 'bad_time'), line('refused', 1, 'overload'), line('bot', 4), line('no_consent', 1)])).toEqual({
    kept: 7,
    known: 2,
    marked: 5,
    refused: 4,
  })
})

it('has the empty stretches too', () => {
  const at = (text: string) => Date.parse(text)
  const lines = [{ ...line('stored', 2), time: '2026-11-24T10:00:00Z' }, { ...line('bot', 1), time: '2026-11-24T10:00:00Z' }, { ...line('stored', 5), time: '2026-11-24T12:00:00Z' }]
  const over = (kind: Parameters<typeof ledgerSeries>[1]) => ledgerSeries(lines, kind, at('2026-11-24T10:20:00Z'), at('2026-11-24T13:00:00Z'), 3_600_000)
  expect(over(null).values).toEqual([3, 0, 5])
  expect(over('marked').values).toEqual([1, 0, 0])
  expect(over(null).starts[0]).toBe(at('2026-11-24T10:00:00Z'))
})

it('groups lines by kind, each whole, the most frequent first', () => {
  const lines = [line('rejected', 3, 'bad_time'), line('stored', 7), line('refused', 5, 'key_rate'), line('bot', 4, 'seo'), line('bot', 9, 'search')]
  const groups = linesByKind(lines)
  expect(groups.map((g) => [g.kind, g.sum, g.lines.map((l) => l.count)])).toEqual([
    ['kept', 7, [7]],
    ['marked', 13, [9, 4]],
    ['refused', 8, [5, 3]],
  ])
  expect(groups.reduce((n, g) => n + g.sum, 0)).toBe(lines.reduce((n, l) => n + l.count, 0))
})

it('knows the tracker that a reason is of', () => {
  expect(splitReason('plausible:malformed_json')).toEqual({ dialect: 'plausible', code: 'malformed_json' })
  expect(splitReason('key_rate')).toEqual({ dialect: '', code: 'key_rate' })
})
