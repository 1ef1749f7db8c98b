import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useCallback, useEffect, useMemo, useState } from 'react'
import { sitesQuery } from '../api/queries'
import type { Site } from '../api/types'
import { type Range, defaultResolution, isPossible, rangeBefore, resolveSpan, soFar } from '../lib/span'
import { type Search, type View, decodeView, encodeView } from './address'

/** What the address says is to be seen, and a way to change a part of it. */
export function useView(): [View, (change: Partial<View>) => void] {
  const search: Search = useSearch({ strict: false })
  const navigate = useNavigate()
  const view = useMemo(() => decodeView(search), [search])
  const change = useCallback(
    (part: Partial<View>) => {
      void navigate({ to: '.', search: (old: Search) => encodeView({ ...decodeView(old), ...part }), resetScroll: false })
    },
    [navigate],
  )
  return [view, change]
}

/** The id of the site in the address. */
export function useSiteId(): string {
  return useParams({ strict: false }).site ?? ''
}

/** The site in the address; pages are shown only once it is known. */
export function useSite(): Site {
  const id = useSiteId()
  const { data } = useQuery(sitesQuery)
  const site = data?.find((s) => s.id === id)
  if (!site) throw new Error(`site ${id} is not known`)
  return site
}

/** The site's now to the 30 seconds: the clock's, or the newest event's. */
export function useNow(site: Site): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 30_000)
    return () => clearInterval(timer)
  }, [])
  return site.clock === 'event' ? Date.parse(site.now) : now
}

const day = 86_400_000

/** A duration of the interface, such as 30d, in milliseconds. */
export function windowMillis(text: string): number {
  const match = /^(\d+)(ms|s|m|h|d|w)$/.exec(text)
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: day, w: 7 * day }[match?.[2] ?? 'd'] ?? day
  return match ? Number(match[1]) * unit : 30 * day
}

export interface Period {
  now: number
  windowFrom: number
  /** As chosen, to its end. */
  whole: Range
  /** What of it has happened. */
  range: Range
  /** The same of the time before; null where there is nothing to compare with. */
  before: Range | null
  wholeBefore: Range | null
  resolution: NonNullable<View['resolution']>
  /** Whether the numbers can still change. */
  open: boolean
}

/** The instants of a view of a site. */
export function usePeriod(site: Site, view: View): Period {
  const now = useNow(site)
  // The five minutes under way are what the instants depend on.
  const tick = Math.floor(now / 300_000) * 300_000
  return useMemo(() => {
    const zone = site.timezone
    const whole = resolveSpan(view.zoom ?? view.span, tick, zone) ?? { from: tick - 7 * day, to: tick }
    const wholeBefore = view.compare === 'off' ? null : rangeBefore(whole, view.compare, zone)
    const windowFrom = tick - windowMillis(site.window)
    const cut = soFar(whole, wholeBefore, tick)
    // What lies mostly before the window cannot be compared with.
    const known = wholeBefore !== null && (wholeBefore.from + wholeBefore.to) / 2 > windowFrom
    const fits = view.resolution !== null && isPossible(whole, view.resolution)
    return {
      now: tick,
      windowFrom,
      whole,
      range: cut.range,
      before: known && wholeBefore.from >= windowFrom ? cut.before : null,
      wholeBefore: known ? wholeBefore : null,
      resolution: fits && view.resolution ? view.resolution : defaultResolution(whole),
      open: whole.to > tick,
    }
  }, [site.timezone, site.window, view.zoom, view.span, view.compare, view.resolution, tick])
}
