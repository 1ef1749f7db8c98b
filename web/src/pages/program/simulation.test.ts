import { expect, it } from 'vitest'
import type { Simulation } from '../../api/types'
import { againstOf, clausesOf, deniedByDay, isUnderWay } from './simulation'

const day = 86_400_000
const at = (n: number) => new Date(Date.UTC(2026, 2, 1) + n * day).toISOString()
const counts = (denied: number) => ({ decisions: 10, allowed: 10 - denied, denied, readers_denied: 1, by_clause: {} })
const done: Simulation = {
  id: 's',
  state: 'done',
  progress: 1,
  ...counts(3),
  by_clause: { open: 2, stopped: 3, again: 5, zero: 0 },
  by_day: [
    { day: at(3), ...counts(2) },
    { day: at(0), ...counts(1) },
  ],
  warnings: [],
}

it('ranks clauses', () => {
  expect(clausesOf(done).map((c) => [c.name, c.share])).toEqual([
    ['again', 0.5],
    ['stopped', 0.3],
    ['open', 0.2],
    ['zero', 0],
  ])
})

it('counts days on which nothing was decided', () => {
  const chart = deniedByDay(done, (d) => d + day)
  expect(chart.values).toEqual([1, 0, 0, 2])
  expect(chart.starts.map((s) => new Date(s).toISOString())).toEqual([0, 1, 2, 3].map(at))
  expect(deniedByDay({ ...done, by_day: [] }, (d) => d + day).values).toEqual([])
})

it('names what is compared with', () => {
  expect(['active', 'none', '3'].map(againstOf)).toEqual(['active', null, { version: 3 }])
})

it('is waited for until it ends', () => {
  expect((['queued', 'running', 'done', 'failed', 'stopped'] as const).map((state) => isUnderWay({ ...done, state }))).toEqual([true, true, false, false, false])
})
