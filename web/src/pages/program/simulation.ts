import type { Simulation } from '../../api/types'

/** What a simulation of a text against the active program says of its activation. */
export interface Prediction {
  access: string
  range: string
  newlyDenied: number
  noLongerDenied: number
}

/** Whether there is something more to wait for. */
export const isUnderWay = (s: Simulation): boolean => s.state === 'queued' || s.state === 'running'

/** What it is compared with, as the interface names it; null is nothing. */
export function againstOf(choice: string): 'active' | { version: number } | null {
  if (choice === 'active') return 'active'
  return choice === 'none' ? null : { version: Number(choice) }
}

/** Clauses by how much they decided, the most first. */
export function clausesOf(s: Simulation): { name: string; count: number; share: number }[] {
  const all = Object.entries(s.by_clause).map(([name, count]) => ({ name, count, share: s.decisions > 0 ? count / s.decisions : 0 }))
  return all.sort((a, b) => b.count - a.count || a.name.localeCompare(b.name))
}

/** How many page views were stopped on each day, days without a decision included; instants are Unix milliseconds. */
export function deniedByDay(s: Simulation, startOfNext: (day: number) => number): { starts: number[]; ends: number[]; values: number[] } {
  const known = new Map(s.by_day.map((d) => [Date.parse(d.day), d.denied]))
  const days = [...known.keys()].sort((a, b) => a - b)
  const chart = { starts: [] as number[], ends: [] as number[], values: [] as number[] }
  const last = days.at(-1)
  for (let day = days[0]; day !== undefined && last !== undefined && day <= last; day = startOfNext(day)) {
    chart.starts.push(day)
    chart.ends.push(startOfNext(day))
    chart.values.push(known.get(day) ?? 0)
  }
  return chart
}
