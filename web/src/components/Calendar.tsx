import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import { useFormat, useText } from '../i18n'
import type { Range } from '../lib/span'
import { addDays, dateText, startOfDay, startOfMonth, toLocal } from '../lib/zone'
import { Icon } from './Icon'

interface CalendarProps {
  zone: string
  now: number
  /** The first day that can be chosen. */
  min: number
  range: Range
  weekStart: number // 0: Sunday, 1: Monday …
  onChoose: (from: number, to: number) => void
}

/** One month; a first click begins a range of days, a second ends it. */
export function Calendar({ zone, now, min, range, weekStart, onChoose }: CalendarProps) {
  const t = useText()
  const f = useFormat()
  const [month, setMonth] = useState(() => startOfMonth(Math.min(range.to - 1, now), zone))
  const [first, setFirst] = useState<number | null>(null)
  const [hover, setHover] = useState<number | null>(null)
  const [focus, setFocus] = useState(() => startOfDay(Math.min(range.to - 1, now), zone))
  const grid = useRef<HTMLTableElement>(null)
  const moved = useRef(false)

  useEffect(() => {
    if (moved.current) grid.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus()
    moved.current = false
  }, [focus, month])

  const lead = (((new Date(Date.UTC(toLocal(month, zone).year, toLocal(month, zone).month - 1, 1)).getUTCDay() - weekStart) % 7) + 7) % 7
  const start = addDays(month, zone, -lead)
  const weeks = Array.from({ length: 6 }, (_, w) => Array.from({ length: 7 }, (_, d) => startOfDay(start, zone, w * 7 + d)))
  const inMonth = (day: number) => toLocal(day, zone).month === toLocal(month, zone).month
  const other = hover ?? first
  const chosen = first === null ? { from: startOfDay(range.from, zone), to: startOfDay(range.to - 1, zone) } : { from: Math.min(first, other ?? first), to: Math.max(first, other ?? first) }
  const possible = (day: number) => day <= now && startOfDay(day, zone, 1) > min

  const choose = (day: number) => {
    if (first === null) setFirst(day)
    else {
      onChoose(Math.min(first, day), Math.max(first, day))
      setFirst(null)
    }
  }
  const go = (event: KeyboardEvent) => {
    const days = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7, PageUp: -28, PageDown: 28 }[event.key]
    if (days === undefined) return
    event.preventDefault()
    const day = startOfDay(focus, zone, days)
    moved.current = true
    setFocus(day)
    setHover(first === null ? null : day)
    if (toLocal(day, zone).month !== toLocal(month, zone).month) setMonth(startOfMonth(day, zone))
  }

  return (
    <div className="calendar">
      <div className="calendar-head">
        <button type="button" className="icon-button" onClick={() => setMonth(startOfMonth(month, zone, -1))} disabled={month <= min} aria-label={t('calendar.previous')}>
          <Icon name="left" />
        </button>
        <span aria-live="polite">{f.month(month, zone)}</span>
        <button type="button" className="icon-button" onClick={() => setMonth(startOfMonth(month, zone, 1))} disabled={startOfMonth(month, zone, 1) > now} aria-label={t('calendar.next')}>
          <Icon name="right" />
        </button>
      </div>
      <table ref={grid} role="grid" aria-label={t('calendar.label')} onKeyDown={go}>
        <thead>
          <tr>
            {weeks[0]?.map((day) => (
              <th key={day} scope="col">
                {f.day(day, zone).slice(0, 2)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody onMouseLeave={() => setHover(null)}>
          {weeks
            .filter((week) => week.some(inMonth))
            .map((week) => (
              <tr key={week[0]}>
                {week.map((day) => {
                  if (!inMonth(day)) return <td key={day} />
                  const within = day >= chosen.from && day <= chosen.to
                  return (
                    <td key={day} role="gridcell" aria-selected={within} data-in={within || undefined} data-first={day === chosen.from || undefined} data-last={day === chosen.to || undefined}>
                      <button
                        type="button"
                        disabled={!possible(day)}
                        tabIndex={dateText(day, zone) === dateText(focus, zone) ? 0 : -1}
                        aria-label={f.day(day, zone)}
                        onClick={() => choose(day)}
                        onMouseEnter={() => setHover(first === null ? null : day)}
                      >
                        {toLocal(day, zone).day}
                      </button>
                    </td>
                  )
                })}
              </tr>
            ))}
        </tbody>
      </table>
      <p className="small muted" style={{ paddingTop: 8 }}>
        {first === null ? t('calendar.first') : t('calendar.last')}
      </p>
    </div>
  )
}
