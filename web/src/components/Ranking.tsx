import type { KeyboardEvent, ReactNode } from 'react'
import { useText } from '../i18n'
import { Clip } from './Clip'
import { Icon } from './Icon'

export interface RankingColumn {
  id: string
  name: string
  /** Left out where the page is narrow. */
  secondary?: boolean
  /** Pixels; 104 by default. */
  width?: number
}

export interface RankingRow {
  id: string
  name: string
  /** A word about it, behind its name. */
  note?: string
  /** Where a second click goes. */
  address?: string | undefined
  /** How long the bar is, 0 to 1. */
  share: number
  cells: ReactNode[]
}

interface RankingProps {
  label: string
  nameOf: string
  columns: RankingColumn[]
  rows: RankingRow[]
  order?: { by: string; direction: 'asc' | 'desc' }
  onOrder?: (by: string) => void
  picked?: (id: string) => boolean
  onPick?: (id: string) => void
  /** What a click does where it does not filter. */
  pickTitle?: string
}

/** A table that ranks: a bar behind each row, a click filters, a second opens. */
export function Ranking({ label, nameOf, columns, rows, order, onOrder, picked, onPick, pickTitle }: RankingProps) {
  const t = useText()
  return (
    <table className="ranking">
      <caption className="hidden">{label}</caption>
      <thead>
        <tr>
          <th scope="col">{nameOf}</th>
          {columns.map((c) => {
            const sorted = order?.by === c.id
            return (
              <th key={c.id} scope="col" style={{ width: c.width }} className={c.secondary ? 'secondary' : undefined} aria-sort={sorted ? (order.direction === 'desc' ? 'descending' : 'ascending') : undefined}>
                {onOrder ? (
                  <button type="button" onClick={() => onOrder(c.id)}>
                    {c.name}
                    {sorted && <span aria-hidden="true">{order.direction === 'desc' ? '↓' : '↑'}</span>}
                  </button>
                ) : (
                  c.name
                )}
              </th>
            )
          })}
        </tr>
      </thead>
      <tbody onKeyDown={moveInRows}>
        {rows.map((row) => {
          const isPicked = picked?.(row.id) ?? false
          const opens = isPicked && row.address !== undefined
          return (
            <tr key={row.id} data-picked={isPicked || undefined} style={{ '--share': row.share }}>
              <td>
                {onPick ? (
                  <button
                    type="button"
                    className="rank-name"
                    aria-pressed={picked ? isPicked : undefined}
                    title={opens ? t('ranking.open') : (pickTitle ?? t('ranking.filter'))}
                    onClick={() => {
                      if (opens) window.open(row.address, '_blank', 'noopener')
                      else onPick(row.id)
                    }}
                  >
                    <Clip text={row.name} />
                    {row.note && <span className="small muted">{row.note}</span>}
                    {opens && <Icon name="open" size={14} />}
                  </button>
                ) : (
                  <span className="rank-name" tabIndex={-1}>
                    <Clip text={row.name} />
                  </span>
                )}
              </td>
              {row.cells.map((cell, i) => (
                <td key={columns[i]?.id} className={columns[i]?.secondary ? 'secondary' : undefined}>
                  {cell}
                </td>
              ))}
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}

/** Arrows, Home and End go from row to row. */
export function moveInRows(event: KeyboardEvent<HTMLElement>): void {
  const stops = [...event.currentTarget.querySelectorAll<HTMLElement>('.rank-name')]
  const now = stops.indexOf(document.activeElement as HTMLElement)
  const next = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: stops.length - 1 }[event.key]
  if (next === undefined || now < 0) return
  stops[Math.max(0, Math.min(stops.length - 1, next))]?.focus()
  event.preventDefault()
}
