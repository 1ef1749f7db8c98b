import { useQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { askQuery, seriesQuestion, totalsQuestion } from '../../api/queries'
import type { QueryAnswer, Site } from '../../api/types'
import { Change } from '../../components/Change'
import { Choice } from '../../components/Choice'
import { Icon } from '../../components/Icon'
import { Empty, StaleMark, States } from '../../components/Panel'
import { SiteSnippet } from '../../components/SiteSnippet'
import { Sparkline } from '../../components/Sparkline'
import { Tip } from '../../components/Tip'
import { SeriesChart } from '../../components/chart/SeriesChart'
import { SeriesTable, SpokenTable } from '../../components/chart/SeriesTable'
import { useFormat, useText } from '../../i18n'
import { changeOf } from '../../lib/format'
import { asked, metricOf, metrics, valueIn } from '../../lib/metrics'
import { type Series, column, seriesOf, shrink } from '../../lib/series'
import { isPossible, resolutions, spanOfTimes } from '../../lib/span'
import type { View } from '../../state/address'
import type { Period } from '../../state/view'

export interface AudienceProps {
  site: Site
  view: View
  period: Period
  onChange: (change: Partial<View>) => void
}

const counts = asked.map((id) => metricOf(id).kind === 'count')

/** Figures, and the chosen one over time. */
export function ImpressionsPanel({ site, view, period, onChange }: AudienceProps) {
  const t = useText()
  const f = useFormat()
  const zone = site.timezone
  const { range, before, whole, wholeBefore, resolution, windowFrom } = period
  const [asTable, setAsTable] = useState(false)
  const metric = metricOf(view.metric)
  const refetch = period.open ? 30_000 : false

  const now = useQuery(askQuery(site.id, seriesQuestion({ range, filters: view.filters }, asked, resolution), refetch))
  const earlier = useQuery({
    ...askQuery(site.id, seriesQuestion({ range: wholeBefore ?? whole, filters: view.filters }, asked, resolution)),
    enabled: wholeBefore !== null,
  })
  const earlierTotals = useQuery({
    ...askQuery(site.id, { ...totalsQuestion({ range: before ?? whole, filters: view.filters }, asked) }),
    enabled: before !== null,
  })

  const series = useMemo(
    () => now.data && seriesOf(now.data, counts, whole, resolution, zone, windowFrom),
    [now.data, whole, resolution, zone, windowFrom],
  )
  const seriesBefore = useMemo(
    () => (wholeBefore && earlier.data ? seriesOf(earlier.data, counts, wholeBefore, resolution, zone, windowFrom) : null),
    [earlier.data, wholeBefore, resolution, zone, windowFrom],
  )
  const totalsBefore = before ? (earlierTotals.data?.results[0]?.metrics ?? null) : null
  const rangeText = f.range(whole.from, whole.to, zone)
  const beforeText = wholeBefore && f.range(wholeBefore.from, wholeBefore.to, zone)

  const ahead = whole.to > period.range.to
  const gap = whole.from >= windowFrom ? (ahead ? 'chart.to_come' : null) : ahead ? 'chart.not_kept_or_to_come' : 'chart.not_kept'
  // The hatching says already what the server says of the span's ends.
  const warnings = (now.data?.meta.warnings ?? []).filter((w) => !w.startsWith('date_range'))

  const chart = useMemo(() => {
    if (!series) return null
    return {
      label: t(metric.name),
      starts: series.starts,
      ends: series.ends,
      values: column(series, (row) => valueIn(metric, row)),
      before: seriesBefore && { starts: seriesBefore.starts, values: column(seriesBefore, (row) => valueIn(metric, row)) },
      kind: metric.kind,
      zone,
      days: resolution === 'day',
      until: range.to < whole.to ? range.to : Infinity,
      text: (n: number | null) => metric.text(n, f),
      axis: (n: number | null) => metric.axis(n, f),
    }
  }, [series, seriesBefore, metric, zone, resolution, range.to, whole.to, t, f])

  return (
    <section className="panel" aria-label={t('audience.impressions')}>
      <States
        query={now}
        skeleton={<Bones />}
        isEmpty={(data) => view.filters.length === 0 && isNothing(data)}
        empty={
          <Empty title={t('audience.empty')}>
            <p>{t('audience.empty_about')}</p>
            <SiteSnippet site={site.id} />
          </Empty>
        }
      >
        {(data) => (
          <div className={now.isPlaceholderData ? 'busy' : undefined} aria-busy={now.isPlaceholderData}>
            <Figures totals={data.totals ?? []} before={totalsBefore} series={series} chosen={metric.id} onChoose={(id) => onChange({ metric: id })} />
            <div className="panel-head">
              <div className="legend">
                <span>
                  <i className={metric.kind === 'rate' ? 'line' : undefined} />
                  {t(metric.name)}, {rangeText}
                </span>
                {beforeText && (
                  <span>
                    <i className="before" />
                    {beforeText}
                  </span>
                )}
                {view.compare !== 'off' && !wholeBefore && <span>{t('compare.nothing')}</span>}
                {gap && (
                  <span>
                    <i className="gap" />
                    {t(gap)}
                  </span>
                )}
              </div>
              <Choice
                label={t('resolution.choose')}
                value={resolution}
                onChange={(r) => onChange({ resolution: r })}
                options={resolutions.map((r) => ({
                  value: r,
                  name: t(`resolution.${r}`),
                  disabled: !isPossible(whole, r),
                  ...(isPossible(whole, r) ? {} : { title: t('resolution.too_fine') }),
                }))}
              />
              <button type="button" className="icon-button" aria-pressed={asTable} onClick={() => setAsTable(!asTable)} aria-label={t(asTable ? 'chart.as_chart' : 'chart.as_table')} title={t(asTable ? 'chart.as_chart' : 'chart.as_table')}>
                <Icon name={asTable ? 'chart' : 'table'} />
              </button>
            </div>
            {chart && (
              <div className="panel-body">
                {asTable ? (
                  <SeriesTable {...chart} />
                ) : (
                  <>
                    <SeriesChart {...chart} onZoom={(r) => r.to - r.from < whole.to - whole.from && onChange({ zoom: spanOfTimes(r, zone), resolution: null })} />
                    <SpokenTable {...chart} />
                  </>
                )}
              </div>
            )}
            <div className="panel-foot">
              <span>
                {t('panel.true_for', { time: f.clock(Date.parse(data.meta.as_of), zone) })} · {t('panel.zone', { zone })}
              </span>
              {warnings.map((w) => (
                <span key={w}>{w}</span>
              ))}
              <StaleMark query={now} />
            </div>
          </div>
        )}
      </States>
    </section>
  )
}

const isNothing = (data: QueryAnswer) => (data.totals ?? []).every((n) => n === null || n === 0)

interface FiguresProps {
  totals: readonly (number | null)[]
  before: readonly (number | null)[] | null
  series: Series | undefined
  chosen: string
  onChoose: (id: string) => void
}

/** The big numbers; the chosen one is the chart's. */
function Figures({ totals, before, series, chosen, onChoose }: FiguresProps) {
  const t = useText()
  const f = useFormat()
  return (
    <div className="figures" role="group" aria-label={t('audience.figures')}>
      {metrics.map((m) => {
        const value = valueIn(m, totals)
        const old = before && valueIn(m, before)
        return (
          <Tip key={m.id} text={t(m.about)}>
            <button type="button" className="figure" aria-pressed={m.id === chosen} onClick={() => onChoose(m.id)} data-metric={m.id}>
              <span className="figure-name">{t(m.name)}</span>
              <span className="figure-value">{m.text(value, f)}</span>
              <span className="figure-change">
                <Change change={changeOf(value, old)} fallsWell={m.fallsWell ?? false} />
              </span>
              <Sparkline values={series ? shrink(column(series, (row) => valueIn(m, row)), 48, m.kind === 'count' ? 'sum' : 'mean') : []} />
            </button>
          </Tip>
        )
      })}
    </div>
  )
}

function Bones() {
  return (
    <>
      <div className="figures">
        {metrics.map((m) => (
          <div key={m.id} className="figure">
            <span className="bone" style={{ height: 16, width: '56%', margin: '2px 0' }} />
            <span className="bone" style={{ height: 24, width: '80%', margin: '4px 0' }} />
            <span className="bone" style={{ height: 12, width: '32%', margin: '2px 0' }} />
            <span className="bone spark" />
          </div>
        ))}
      </div>
      <div style={{ padding: '68px 16px 60px' }}>
        <span className="bone" style={{ height: 248 }} />
      </div>
    </>
  )
}
