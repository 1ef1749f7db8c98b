/** What became of what arrived, in four kinds. */
export const kinds = ['kept', 'known', 'marked', 'refused'] as const
export type Kind = (typeof kinds)[number]

export interface Line {
  verdict: string
  reason: string
  count: number
}

/**
 * The kind of a verdict: stored as it came; known already; taken, but set
 * apart (robots, no consent); refused.
 */
export function kindOf(verdict: string): Kind {
  switch (verdict) {
    case 'stored':
      return 'kept'
    case 'duplicate':
      return 'known'
    case 'rejected':
    case 'refused':
      return 'refused'
    default:
      return 'marked'
  }
}

/** The sums of each kind; they add up to everything. */
export function groupLedger(lines: readonly Line[]): Record<Kind, number> {
  const sums = { kept: 0, known: 0, marked: 0, refused: 0 }
  for (const line of lines) sums[kindOf(line.verdict)] += line.count
  return sums
}

/** The lines of each kind that there is, the most frequent first. */
export function linesByKind(lines: readonly Line[]): { kind: Kind; sum: number; lines: Line[] }[] {
  const sums = groupLedger(lines)
  return kinds
    .map((kind) => ({ kind, sum: sums[kind], lines: lines.filter((l) => kindOf(l.verdict) === kind).sort((a, b) => b.count - a.count) }))
    .filter((group) => group.lines.length > 0)
}

/** A reason of the ledger: what a foreign tracker's events were refused for begins with its name. */
export function splitReason(reason: string): { dialect: string; code: string } {
  const at = reason.indexOf(':')
  return at < 0 ? { dialect: '', code: reason } : { dialect: reason.slice(0, at), code: reason.slice(at + 1) }
}

/** How much of a kind (null: of all) arrived by time, with the empty stretches. */
export function ledgerSeries(
  lines: readonly (Line & { time: string })[],
  kind: Kind | null,
  from: number,
  to: number,
  step: number,
): { starts: number[]; ends: number[]; values: number[] } {
  const first = Math.floor(from / step) * step
  const size = Math.max(1, Math.ceil((to - first) / step))
  const starts = Array.from({ length: size }, (_, i) => first + i * step)
  const values = starts.map(() => 0)
  for (const line of lines) {
    if (kind !== null && kindOf(line.verdict) !== kind) continue
    const i = Math.floor((Date.parse(line.time) - first) / step)
    if (i >= 0 && i < size) values[i] = (values[i] ?? 0) + line.count
  }
  return { starts, ends: starts.map((s) => s + step), values }
}
