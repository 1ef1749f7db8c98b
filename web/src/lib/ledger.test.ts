import { expect, it } from 'vitest'
import { groupLedger, ledgerSeries } from './ledger'

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
  const series = ledgerSeries(
    [{ ...line('stored', 2), time: '2026-11-24T10:00:00Z' }, { ...line('bot', 1), time: '2026-11-24T10:00:00Z' }, { ...line('stored', 5), time: '2026-11-24T12:00:00Z' }],
    at('2026-11-24T10:20:00Z'),
    at('2026-11-24T13:00:00Z'),
    3_600_000,
  )
  expect(series.values).toEqual([3, 0, 5])
  expect(series.starts[0]).toBe(at('2026-11-24T10:00:00Z'))
})
