import 'uplot/dist/uPlot.min.css'
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react'
import uPlot from 'uplot'
import { useFormat, useText } from '../../i18n'
import { changeOf } from '../../lib/format'
import type { Range } from '../../lib/span'
import { useDark, usePreferences } from '../../state/preferences'
import { bars, coloursOf, hatch, steps } from './paint'

export interface SeriesChartProps {
  /** What the chart is of, for screen readers and its tip. */
  label: string
  starts: readonly number[]
  ends: readonly number[]
  values: readonly (number | null)[]
  /** The period before, by position, and when its buckets began. */
  before?: { starts: readonly number[]; values: readonly (number | null)[] } | null
  kind: 'count' | 'rate'
  zone: string
  /** Whether buckets are whole days, which are told without a time. */
  days: boolean
  height?: number
  /** Until when something can be known; what comes after is hatched. */
  until?: number
  text: (n: number | null) => string
  axis: (n: number | null) => string
  onZoom?: (range: Range) => void
}

interface Point {
  index: number
  left: number
  right: number
}

const sync = uPlot.sync('page')
const wholeSteps = Array.from({ length: 12 }, (_, n) => [1, 2, 2.5, 5].map((s) => s * 10 ** n)).flat().filter(Number.isInteger)

/** Numbers over time: bars from zero for counts, a line for rates. */
export function SeriesChart(props: SeriesChartProps) {
  const { label, starts, ends, values, before, kind, zone, days, height = 264, text, onZoom } = props
  const t = useText()
  const f = useFormat()
  const dark = useDark()
  const { language } = usePreferences()
  const box = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot | null>(null)
  const latest = useRef(props)
  const [point, setPoint] = useState<Point | null>(null)

  const data = useMemo<uPlot.AlignedData>(() => {
    const end = (ends.at(-1) ?? 0) / 1000
    // One more position than buckets, so that the last one has its width: steps go on to it.
    const closed = (list: (number | null)[]) => [...list, kind === 'count' ? (list.at(-1) ?? null) : null]
    return [[...starts.map((s) => s / 1000), end], closed([...values]), closed(starts.map((_, i) => before?.values[i] ?? null))]
  }, [starts, ends, values, before, kind])

  // The chart's hooks read what is current through this.
  useEffect(() => {
    latest.current = props
  })

  useEffect(() => {
    const host = box.current
    if (!host) return
    const colours = coloursOf(host)
    const font = `12px ${getComputedStyle(host).fontFamily}`
    const bucketAt = (x: number) => {
      const { starts } = latest.current
      let low = 0
      let high = starts.length - 1
      while (low < high) {
        const middle = (low + high + 1) >> 1
        if ((starts[middle] ?? 0) / 1000 <= x) low = middle
        else high = middle - 1
      }
      return low
    }
    const options: uPlot.Options = {
      width: host.clientWidth,
      height: latest.current.height ?? 264,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      padding: [8, 4, 0, 0],
      legend: { show: false },
      scales: {
        x: { range: (u) => [u.data[0][0] ?? 0, u.data[0].at(-1) ?? 1] },
        y: { range: (_, __, max) => [0, max > 0 ? max * 1.06 : 1] },
      },
      axes: [
        {
          stroke: colours.ink,
          font,
          // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- a const enum that cannot be imported
          align: 1, // begins at its instant
          ...(days ? { incrs: [1, 2, 3, 7, 14, 28].map((n) => n * 86_400) } : {}),
          gap: 4,
          size: 28,
          space: 72,
          grid: { show: false },
          ticks: { show: false },
          values: (u, splits, __, ___, step) => {
            const whole = step >= 86_400
            const text = (i: number) => {
              if (whole) return step >= 86_400 * 6 || splits.length > 9 ? f.date(i, zone) : f.day(i, zone)
              const time = f.time(i, zone)
              return time === '00:00' ? f.day(i, zone) : time
            }
            u.ctx.save()
            u.ctx.font = font
            // A label that the edge would cut is left out.
            const labels = splits.map((s) => {
              const label = text(s * 1000)
              return u.valToPos(s, 'x') + u.ctx.measureText(label).width > u.over.clientWidth ? '' : label
            })
            u.ctx.restore()
            return labels
          },
        },
        {
          stroke: colours.ink,
          font,
          ...(kind === 'count' ? { incrs: wholeSteps } : {}), // there is no half of a page view
          gap: 8,
          size: (u, labels: string[] | null) => {
            if (!labels) return 40
            u.ctx.save()
            u.ctx.font = font
            const widest = Math.max(...labels.map((l) => u.ctx.measureText(l).width))
            u.ctx.restore()
            return Math.ceil(widest) + 12
          },
          space: (latest.current.height ?? 264) < 200 ? 30 : 48,
          grid: { stroke: colours.grid, width: 1 },
          ticks: { show: false },
          values: (_, splits) => splits.map((s) => latest.current.axis(s)),
        },
      ],
      series: [
        {},
        kind === 'count'
          ? { paths: bars, fill: colours.now, width: 0, points: { show: false } }
          : { stroke: colours.now, width: 2, spanGaps: false, points: { show: false } },
        { stroke: colours.before, width: 1, ...(kind === 'count' ? { paths: steps } : {}), alpha: 0.75, spanGaps: false, points: { show: false } },
      ],
      cursor: {
        sync: { key: sync.key, scales: ['x', null] },
        y: false,
        x: kind === 'rate',
        points: { show: false },
        dataIdx: (_, __, ___, x) => bucketAt(x),
        drag: { x: onZoom !== undefined, y: false, setScale: false },
      },
      hooks: {
        drawClear: [
          (u) => {
            const { starts, ends, values, until } = latest.current
            hatch(u, gapsOf(starts, ends, values, until ?? Infinity), colours.hatch)
          },
        ],
        setCursor: [
          (u) => {
            const { idx, left = -1 } = u.cursor
            if (idx === null || idx === undefined || left < 0) { setPoint(null); return; }
            const { starts, ends } = latest.current
            const at = (instant: number | undefined) => u.valToPos((instant ?? 0) / 1000, 'x') + u.over.offsetLeft
            setPoint({ index: idx, left: at(starts[idx]), right: at(ends[idx]) })
          },
        ],
        setSelect: [
          (u) => {
            const { left, width } = u.select
            if (width < 4) return
            const { starts, ends, onZoom } = latest.current
            const from = starts[bucketAt(u.posToVal(left, 'x'))]
            const to = ends[bucketAt(u.posToVal(left + width, 'x'))]
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
            if (from !== undefined && to !== undefined) onZoom?.({ from, to })
          },
        ],
      },
    }
    const u = new uPlot(options, data, host)
    chart.current = u
    const touches = followTouch(u)
    const resize = new ResizeObserver(() => u.setSize({ width: host.clientWidth, height: latest.current.height ?? 264 }))
    resize.observe(host)
    return () => {
      resize.disconnect()
      touches()
      u.destroy()
      chart.current = null
      setPoint(null)
    }
    // Data come by setData below; what is listed needs a new chart.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [kind, zone, days, dark, language, height, onZoom === undefined])

  useEffect(() => chart.current?.setData(data), [data])

  const step = (event: KeyboardEvent) => {
    const u = chart.current
    if (!u) return
    const last = starts.length - 1
    const now = point?.index
    const next = { ArrowLeft: (now ?? last + 1) - 1, ArrowRight: (now ?? -1) + 1, Home: 0, End: last }[event.key]
    if (next !== undefined) {
      const i = Math.min(last, Math.max(0, next))
      const middle = ((starts[i] ?? 0) + (ends[i] ?? 0)) / 2000
      u.setCursor({ left: u.valToPos(middle, 'x'), top: 0 })
    } else if (event.key === 'Escape' && point) u.setCursor({ left: -10, top: -10 })
    else if (event.key === 'Enter' && point && onZoom) onZoom({ from: starts[point.index] ?? 0, to: ends[point.index] ?? 0 })
    else return
    event.preventDefault()
  }

  const told = point && starts[point.index] !== undefined ? point : null
  const when = (start: number, end?: number) => (days ? f.day(start, zone) : `${f.dateTime(start, zone)}${end ? `–${f.time(end, zone)}` : ''}`)
  const value = told ? (values[told.index] ?? null) : null
  const earlier = told ? (before?.values[told.index] ?? null) : null
  const change = changeOf(value, earlier)
  const rightHalf = told && box.current ? told.left > box.current.clientWidth / 2 : false
  return (
    <div
      className="chart"
      ref={box}
      style={{ height }}
      tabIndex={0}
      role="application"
      aria-label={`${label}. ${t('chart.keys')}`}
      onKeyDown={step}
      onBlur={() => chart.current?.setCursor({ left: -10, top: -10 })}
    >
      {told && kind === 'count' && (
        <div className="chart-band" style={{ left: told.left, width: Math.max(1, told.right - told.left), bottom: 28 }} />
      )}
      {told && (
        <div className="chart-tip" role="status" style={rightHalf ? { right: `calc(100% - ${told.left - 8}px)` } : { left: told.right + 8 }}>
          <b>{when(starts[told.index] ?? 0, ends[told.index])}</b>
          <table>
            <tbody>
              <tr>
                <td>{label}</td>
                <td>{value === null && !(kind === 'rate' && (values[told.index] ?? null) === null && told.index < values.length) ? t('chart.unknown') : text(value)}</td>
              </tr>
              {before && before.starts[told.index] !== undefined && (
                <tr className="muted">
                  <td>{when(before.starts[told.index] ?? 0)}</td>
                  <td>
                    {text(earlier)} {change !== null && `(${f.change(change)})`}
                  </td>
                </tr>
              )}
            </tbody>
          </table>
        </div>
      )}
    </div>
  )
}

/** The stretches without a value, in seconds. */
function gapsOf(starts: readonly number[], ends: readonly number[], values: readonly (number | null)[], until: number): [number, number][] {
  const gaps: [number, number][] = []
  values.forEach((v, i) => {
    const from = v === null ? (starts[i] ?? 0) / 1000 : until / 1000
    const to = (ends[i] ?? 0) / 1000
    if (to <= from) return
    const last = gaps.at(-1)
    if (last && last[1] === from) last[1] = to
    else gaps.push([from, to])
  })
  return gaps
}

/** Lets a finger that moves sideways read the chart; up and down still scrolls. */
function followTouch(u: uPlot): () => void {
  const move = (event: PointerEvent) => {
    if (event.pointerType === 'mouse') return
    const rect = u.over.getBoundingClientRect()
    u.setCursor({ left: event.clientX - rect.left, top: event.clientY - rect.top })
  }
  u.over.addEventListener('pointerdown', move)
  u.over.addEventListener('pointermove', move)
  return () => {
    u.over.removeEventListener('pointerdown', move)
    u.over.removeEventListener('pointermove', move)
  }
}
