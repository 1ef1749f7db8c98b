import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useMemo, useState } from 'react'
import { dataOf, failureOf, request, sitePath } from '../../api/client'
import type { Simulation, Site } from '../../api/types'
import { SelectField } from '../../components/Field'
import { Icon } from '../../components/Icon'
import { Empty, Failing, Panel } from '../../components/Panel'
import { Ranking } from '../../components/Ranking'
import { SpanPicker } from '../../components/SpanPicker'
import { SeriesChart } from '../../components/chart/SeriesChart'
import { SeriesTable } from '../../components/chart/SeriesTable'
import { useFormat, useMessages, useText } from '../../i18n'
import { failureText } from '../../lib/failure'
import { startOfDay } from '../../lib/zone'
import { usePeriod, useView } from '../../state/view'
import type { Files } from './draft'
import { versionsQuery } from './queries'
import { type Prediction, againstOf, clausesOf, deniedByDay, isUnderWay } from './simulation'
import { faultsOf } from './useCheck'
import { programMessages } from './words'

interface SimulationPanelProps {
  site: Site
  files: Files
  /** The access blocks that the text has. */
  blocks: string[]
  activeVersion: number
  onPrediction: (prediction: Prediction & { files: Files; against: number }) => void
  /** The text has errors: they are shown in it. */
  onRefused: (failure: ReturnType<typeof failureOf>) => void
}

/** What was asked: the answer is about this, whatever is written since. */
interface Asked {
  id: string
  files: Files
  access: string
  against: string
  activeVersion: number
  range: string
}

/** Decides the page views of a span again with the text as it is. */
export function SimulationPanel({ site, files, blocks, activeVersion, onPrediction, onRefused }: SimulationPanelProps) {
  const w = useMessages(programMessages)
  const t = useText()
  const f = useFormat()
  const client = useQueryClient()
  const [view, change] = useView()
  const period = usePeriod(site, view)
  const [chosen, setChosen] = useState('')
  const [against, setAgainst] = useState('active')
  const [asked, setAsked] = useState<Asked | null>(null)
  const versions = useQuery(versionsQuery(site.id, 30)).data?.versions ?? []
  const access = blocks.includes(chosen) ? chosen : (blocks[0] ?? '')
  const path = (id: string) => sitePath(site.id, `simulations/${encodeURIComponent(id)}`)
  const key = ['site', site.id, 'simulation', asked?.id]
  const run = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => dataOf(request<Simulation>(path(asked?.id ?? ''), { signal })),
    enabled: asked !== null,
    refetchInterval: (q) => (q.state.data && !isUnderWay(q.state.data) ? false : 400),
  })
  const start = useMutation({
    mutationFn: () =>
      dataOf(
        request<Simulation>(sitePath(site.id, 'simulations'), {
          method: 'POST',
          body: { program: { files }, access, from: new Date(period.range.from).toISOString(), to: period.open ? null : new Date(period.range.to).toISOString(), against: againstOf(against) },
        }),
      ),
    onSuccess: (s) => setAsked({ id: s.id, files, access, against, activeVersion, range: f.range(period.range.from, period.range.to, site.timezone) }),
    onError: (error) => onRefused(failureOf(error)),
  })
  const stop = useMutation({
    mutationFn: () => dataOf(request<Simulation>(path(asked?.id ?? ''), { method: 'DELETE' })),
    onSuccess: () => client.invalidateQueries({ queryKey: key }),
  })
  const result = run.data
  const underWay = asked !== null && (result ? isUnderWay(result) : !run.isError)
  useEffect(() => {
    if (!asked || asked.against !== 'active' || result?.state !== 'done' || result.newly_denied === undefined) return
    onPrediction({ files: asked.files, against: asked.activeVersion, access: asked.access, range: asked.range, newlyDenied: result.newly_denied, noLongerDenied: result.no_longer_denied ?? 0 })
  }, [asked, result, onPrediction])
  const refused = start.isError && !faultsOf(failureOf(start.error))
  return (
    <Panel
      title={w('simulate.title')}
      actions={
        <SpanPicker
          span={view.span}
          range={period.whole}
          now={period.now}
          min={period.windowFrom}
          zone={site.timezone}
          weekStart={Math.max(0, ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'].indexOf(site.week_start))}
          onChange={(span) => change({ span, zoom: null, resolution: null })}
        />
      }
      foot={asked && result && !isUnderWay(result) && <span>{w('simulate.about_what', { access: asked.access, range: asked.range })} · {t('panel.zone', { zone: site.timezone })}</span>}
    >
      <div className="simulate-form">
        <SelectField label={w('simulate.access')} value={access} onChange={(e) => setChosen(e.target.value)} disabled={blocks.length === 0}>
          {blocks.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </SelectField>
        <SelectField label={w('simulate.against')} value={against} onChange={(e) => setAgainst(e.target.value)}>
          <option value="active">{w('simulate.against_active')}</option>
          <option value="none">{w('simulate.against_none')}</option>
          {versions.map((v) => (
            <option key={v.version} value={String(v.version)}>
              {w('versions.number', { version: v.version })}
            </option>
          ))}
        </SelectField>
        <button type="button" className="button" disabled={underWay || start.isPending || access === ''} onClick={() => start.mutate()}>
          {w('simulate.run')}
        </button>
      </div>
      {refused && (
        <p className="notice notice-bad" role="alert">
          <Icon name="warning" />
          {failureText(failureOf(start.error), t)}
        </p>
      )}
      {underWay && (
        <div className="simulate-progress">
          <progress aria-label={w('simulate.progress')} value={result?.progress ?? 0} max={1} />
          <span className="digits">{f.share(Math.floor((result?.progress ?? 0) * 100) / 100)}</span>
          <button type="button" className="button" disabled={stop.isPending} onClick={() => stop.mutate()}>
            {w('simulate.stop')}
          </button>
        </div>
      )}
      {run.isError ? (
        <Failing error={run.error} retry={() => start.mutate()} />
      ) : result && !isUnderWay(result) ? (
        <Result result={result} site={site} />
      ) : (
        !underWay && (
          <Empty title={w('simulate.empty')}>
            <p>{w('simulate.empty_about')}</p>
          </Empty>
        )
      )}
    </Panel>
  )
}

function Result({ result, site }: { result: Simulation; site: Site }) {
  const w = useMessages(programMessages)
  const f = useFormat()
  const chart = useMemo(() => deniedByDay(result, (day) => startOfDay(day, site.timezone, 1)), [result, site.timezone])
  const clauses = clausesOf(result)
  if (result.state === 'failed') return <p role="alert">{w('simulate.failed', { why: result.error ?? '–' })}</p>
  if (result.state === 'stopped') return <p className="notice" role="status">{w('simulate.stopped')}</p>
  const figures: [string, string, string][] = [
    [w('simulate.decisions'), f.number(result.decisions), ''],
    [w('simulate.denied'), f.number(result.denied), result.decisions > 0 ? f.share(result.denied / result.decisions) : ''],
    [w('simulate.readers_denied'), f.number(result.readers_denied), ''],
    ...(result.newly_denied === undefined
      ? []
      : [
          [w('simulate.newly_denied'), f.number(result.newly_denied), ''] as [string, string, string],
          [w('simulate.no_longer_denied'), f.number(result.no_longer_denied ?? 0), ''] as [string, string, string],
        ]),
  ]
  return (
    <div role="group" aria-label={w('simulate.result')}>
      {result.warnings.map((text) => (
        <p key={text} className="notice">
          {text}
        </p>
      ))}
      <div className="sums simulate-sums">
        {figures.map(([name, value, share]) => (
          <div key={name}>
            <span className="figure-name">{name}</span>
            <span className="figure-value">{value}</span>
            <span className="small muted digits">{share}</span>
          </div>
        ))}
      </div>
      {clauses.length > 0 && (
        <Ranking
          label={w('simulate.by_clause')}
          nameOf={w('simulate.by_clause')}
          columns={[
            { id: 'count', name: w('simulate.decisions') },
            { id: 'share', name: w('simulate.share'), secondary: true },
          ]}
          rows={clauses.map((c) => ({ id: c.name, name: c.name, share: c.share, cells: [f.number(c.count), f.share(c.share)] }))}
        />
      )}
      {chart.starts.length > 1 && <ByDay chart={chart} zone={site.timezone} />}
    </div>
  )
}

/** Page views that were stopped, by day: as a chart or as a table. */
function ByDay({ chart, zone }: { chart: ReturnType<typeof deniedByDay>; zone: string }) {
  const w = useMessages(programMessages)
  const t = useText()
  const f = useFormat()
  const [asTable, setAsTable] = useState(false)
  const turn = t(asTable ? 'chart.as_chart' : 'chart.as_table')
  const series = { label: w('simulate.denied'), ...chart, kind: 'count' as const, zone, days: true, height: 180, text: (n: number | null) => f.number(n), axis: (n: number | null) => f.short(n) }
  return (
    <>
      <div className="simulate-chart">
        <h3>{w('simulate.by_day')}</h3>
        <button type="button" className="icon-button" aria-pressed={asTable} onClick={() => setAsTable(!asTable)} aria-label={turn} title={turn}>
          <Icon name={asTable ? 'chart' : 'table'} />
        </button>
      </div>
      {asTable ? <SeriesTable {...series} /> : <SeriesChart {...series} />}
    </>
  )
}
