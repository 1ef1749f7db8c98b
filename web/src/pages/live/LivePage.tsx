import { useQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { RequestError } from '../../api/client'
import { askQuery, seriesQuestion } from '../../api/queries'
import type { Live, LiveCount, Site } from '../../api/types'
import { Change } from '../../components/Change'
import { Empty, Failing, Panel, RowBones, States } from '../../components/Panel'
import { Ranking } from '../../components/Ranking'
import { SiteSnippet } from '../../components/SiteSnippet'
import { Sparkline } from '../../components/Sparkline'
import { SeriesChart } from '../../components/chart/SeriesChart'
import { SpokenTable } from '../../components/chart/SeriesTable'
import { useFormat, useText } from '../../i18n'
import { webAddress } from '../../lib/address'
import { changeOf } from '../../lib/format'
import { useValueText } from '../../lib/value'
import { column, seriesOf } from '../../lib/series'
import { rangeBefore, resolveSpan, soFar } from '../../lib/span'
import { useNow, useSite, windowMillis } from '../../state/view'
import { type LiveFeed, trendOf, useLive } from './useLive'

/** Who reads at this moment. */
export function LivePage() {
  const t = useText()
  const site = useSite()
  const feed = useLive(site.id)
  // While a pointer reads the tables they stand still.
  const [held, setHeld] = useState<Live | null>(null)
  const shown = held ?? feed.live
  const hold = { onPointerEnter: () => setHeld(feed.live), onPointerLeave: () => setHeld(null) }
  if (feed.refused > 0 && feed.refused !== 401) {
    return (
      <div className="page">
        <h1>{t('nav.live')}</h1>
        <div className="panel">
          <Failing error={new RequestError({ kind: 'problem', status: feed.refused, code: '', detail: `HTTP ${feed.refused}`, faults: [], retryAfter: null })} retry={() => window.location.reload()} />
        </div>
      </div>
    )
  }
  return (
    <div className="page">
      <div className="page-head">
        <h1>{t('nav.live')}</h1>
        <Pulse feed={feed} zone={site.timezone} />
      </div>
      <div className="live-top">
        <NowPanel feed={feed} />
        <DayPanel site={site} />
      </div>
      <div className="columns columns-wide-first" {...hold}>
        <Panel title={t('live.articles')} flush foot={held && <span>{t('live.held')}</span>}>
          {shown === null && feed.state === 'stale' ? (
            <Failing error={null} retry={feed.retry} />
          ) : shown === null ? (
            <div className="skeleton">
              <RowBones rows={10} />
            </div>
          ) : shown.items.every((i) => i.readers === 0) ? (
            <Empty title={t('live.empty')}>
              <p>{t('live.empty_about')}</p>
              <SiteSnippet site={site.id} />
            </Empty>
          ) : (
            <Articles live={shown} trend={trendOf(shown, feed.past)} />
          )}
        </Panel>
        <div className="stack">
          {shown === null ? (
            <Panel title={t('live.referrers')} flush>
              <div className="skeleton">
                <RowBones rows={6} />
              </div>
            </Panel>
          ) : (
            <>
              <Counts title={t('live.referrers')} nameOf={t('column.referrer_host')} column="referrer_host" counts={shown.referrers} always />
              <Counts title={t('live.channels')} nameOf={t('column.channel')} column="channel" counts={shown.channels} />
              <Counts title={t('live.countries')} nameOf={t('column.country')} column="country" counts={shown.countries} />
            </>
          )}
        </div>
      </div>
    </div>
  )
}

/** Whether the numbers are alive, and of when they are. */
function Pulse({ feed, zone }: { feed: LiveFeed; zone: string }) {
  const t = useText()
  const f = useFormat()
  const time = feed.live ? f.clock(Date.parse(feed.live.as_of), zone) : ''
  return (
    <span className="live-head small muted digits" role="status">
      <span className="dot" data-state={feed.state} />
      {feed.state === 'open' ? `${t('live.open')} · ${t('panel.zone', { zone })}` : feed.state === 'stale' ? (feed.live ? t('live.stale', { time }) : t('live.lost')) : t('live.connecting')}
    </span>
  )
}

function NowPanel({ feed }: { feed: LiveFeed }) {
  const t = useText()
  const f = useFormat()
  const { live } = feed
  return (
    <section className="panel live-now" aria-label={t('live.readers')}>
      <h2>{t('live.readers')}</h2>
      {live ? (
        <>
          <span className={`big${feed.state === 'stale' ? ' stale' : ''}`} data-live="readers">
            {f.number(live.readers)}
          </span>
          <span className="muted">
            {t('live.idle', { n: f.number(live.idle) })} · {t('live.views', { n: f.number(live.page_views) })}
          </span>
          <Sparkline values={feed.history} main />
          <span className="small muted">{t('live.history')}</span>
        </>
      ) : (
        <span className="skeleton">
          <span className="bone" style={{ height: 40, width: 120, margin: '4px 0' }} />
          <span className="bone" style={{ height: 16, width: 200, margin: '8px 0' }} />
        </span>
      )}
    </section>
  )
}

/** Today's page views against the same weekday of last week. */
function DayPanel({ site }: { site: Site }) {
  const t = useText()
  const f = useFormat()
  const zone = site.timezone
  const now = Math.floor(useNow(site) / 300_000) * 300_000
  const today = useMemo(() => resolveSpan('today', now, zone) ?? { from: now - 86_400_000, to: now }, [now, zone])
  const lastWeek = useMemo(() => rangeBefore(today, 'week', zone), [today, zone])
  const windowFrom = now - windowMillis(site.window)
  const cut = soFar(today, lastWeek, now)
  const views = ['page_views']
  const answer = useQuery(askQuery(site.id, seriesQuestion({ range: cut.range, filters: [] }, views, '5min'), 15_000))
  const earlier = useQuery(askQuery(site.id, seriesQuestion({ range: lastWeek, filters: [] }, views, '5min')))
  const chart = useMemo(() => {
    if (!answer.data) return null
    const series = seriesOf(answer.data, [true], today, '5min', zone, windowFrom)
    const before = earlier.data && seriesOf(earlier.data, [true], lastWeek, '5min', zone, windowFrom)
    const values = (s: typeof series) => column(s, (row) => row[0] ?? null)
    return {
      label: t('metric.page_views'),
      starts: series.starts,
      ends: series.ends,
      values: values(series),
      before: before ? { starts: before.starts, values: values(before) } : null,
      kind: 'count' as const,
      zone,
      days: false,
      height: 176,
      text: (n: number | null) => f.number(n),
      axis: (n: number | null) => f.short(n),
    }
  }, [answer.data, earlier.data, today, lastWeek, zone, windowFrom, t, f])
  const total = answer.data?.totals?.[0] ?? null
  const soFarBefore = chart?.before?.values.slice(0, chart.values.findLastIndex((v) => v !== null) + 1).reduce<number>((a, b) => a + (b ?? 0), 0) ?? null
  return (
    <section className="panel" aria-label={t('live.today')}>
      <div className="panel-head">
        <div className="live-head">
          <h2>{t('live.today')}</h2>
          <b className="digits">{f.number(total)}</b>
          <Change change={changeOf(total, soFarBefore)} />
        </div>
        <div className="legend">
          <span>
            <i />
            {f.day(today.from, zone)}
          </span>
          <span>
            <i className="before" />
            {f.day(lastWeek.from, zone)}
          </span>
        </div>
      </div>
      <div className="panel-body" style={{ minHeight: 168 }}>
        <States query={answer} skeleton={<span className="bone" style={{ height: 136 }} />}>
          {() =>
            chart && (
              <>
                <SeriesChart {...chart} />
                <SpokenTable {...chart} />
              </>
            )
          }
        </States>
      </div>
    </section>
  )
}

const articlesShown = 25

function Articles({ live, trend }: { live: Live; trend: Map<string, number> }) {
  const t = useText()
  const f = useFormat()
  const most = Math.max(1, ...live.items.map((i) => i.readers))
  return (
    <Ranking
      label={t('live.articles')}
      nameOf={t('column.item')}
      columns={[
        { id: 'readers', name: t('live.readers_column') },
        { id: 'trend', name: t('live.trend'), secondary: true, width: 120 },
      ]}
      rows={live.items.filter((i) => i.readers > 0).slice(0, articlesShown).map((item) => {
        const change = trend.get(item.item) ?? 0
        return {
          id: item.item,
          name: item.title || item.item,
          address: webAddress(item.url),
          share: item.readers / most,
          cells: [f.number(item.readers), <Trend key="t" change={change} />],
        }
      })}
    />
  )
}

function Trend({ change }: { change: number }) {
  if (change === 0) return <span className="muted">·</span>
  return (
    <span className="change" data-mood={change > 0 ? 'good' : 'bad'}>
      {change > 0 ? `+${change}` : `−${-change}`}
    </span>
  )
}

interface CountsProps {
  title: string
  nameOf: string
  column: string
  counts: LiveCount[]
  /** Shown also where nothing but the unknown is known. */
  always?: boolean
}

function Counts({ title, nameOf, column, counts, always = false }: CountsProps) {
  const t = useText()
  const f = useFormat()
  const valueText = useValueText()
  if (!always && counts.every((c) => c.name === '(none)')) return null
  const most = Math.max(1, ...counts.map((c) => c.readers))
  return (
    <Panel title={title} flush>
      {counts.length === 0 ? (
        <Empty title={t('live.nobody')} />
      ) : (
        <Ranking
          label={title}
          nameOf={nameOf}
          columns={[{ id: 'readers', name: t('live.readers_column') }]}
          rows={counts.slice(0, 12).map((c) => ({ id: c.name, name: valueText(column, c.name), share: c.readers / most, cells: [f.number(c.readers)] }))}
        />
      )}
    </Panel>
  )
}
