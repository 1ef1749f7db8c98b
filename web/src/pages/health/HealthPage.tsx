import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { ledgerQuery, readyQuery } from '../../api/queries'
import type { Ledger } from '../../api/types'
import { Icon } from '../../components/Icon'
import { PageControls } from '../../components/PageControls'
import { Empty, Panel, RowBones, StaleMark, States } from '../../components/Panel'
import { Ranking } from '../../components/Ranking'
import { SiteSnippet } from '../../components/SiteSnippet'
import { SeriesChart } from '../../components/chart/SeriesChart'
import { useFormat, useText } from '../../i18n'
import { type Kind, groupLedger, ledgerSeries } from '../../lib/ledger'
import { useReasonText } from '../../lib/reason'
import { usePeriod, useSite, useView } from '../../state/view'

/** What arrived, and what became of it. */
export function HealthPage() {
  const t = useText()
  const f = useFormat()
  const site = useSite()
  const [view, change] = useView()
  const period = usePeriod(site, view)
  // Arrivals are counted by the wall clock, also where the site's clock is another.
  const step = period.range.to - period.range.from > 3 * 86_400_000 ? 'hour' : '5min'
  const ledger = useQuery(ledgerQuery(site.id, period.range, step))
  return (
    <div className="page">
      <PageControls title={t('nav.health')} site={site} view={view} period={period} onChange={change} />
      <Readiness />
      <Panel
        title={t('health.arrived')}
        actions={<StaleMark query={ledger} />}
        busy={ledger.isPlaceholderData}
        foot={
          <span>
            {t('health.by_arrival', { range: f.range(period.whole.from, period.whole.to, site.timezone) })} · {t('panel.zone', { zone: site.timezone })}
          </span>
        }
      >
        <States
          query={ledger}
          skeleton={<span className="bone" style={{ height: 264 }} />}
          isEmpty={(l) => l.total === 0}
          empty={
            <Empty title={t('health.empty')}>
              <p>{t('audience.empty_about')}</p>
              <SiteSnippet site={site.id} />
            </Empty>
          }
        >
          {(data) => <Arrivals ledger={data} from={period.range.from} to={period.range.to} step={step === 'hour' ? 3_600_000 : 300_000} zone={site.timezone} />}
        </States>
      </Panel>
      {ledger.data && ledger.data.total > 0 && (
        <Panel title={t('health.reasons')} flush>
          <States query={ledger} skeleton={<RowBones rows={4} />}>
            {(data) => <Reasons ledger={data} />}
          </States>
        </Panel>
      )}
    </div>
  )
}

/** Whether the server can do its work now. */
function Readiness() {
  const t = useText()
  const ready = useQuery(readyQuery)
  const down = ready.isError
  const reasons = ready.data?.reasons ?? []
  const warnings = ready.data?.warnings ?? []
  return (
    <Panel title={t('health.server')}>
      {ready.data === undefined && !down ? (
        <span className="bone skeleton" style={{ height: 20, width: 240 }} />
      ) : (
        <div className="form" role="status">
          <p className="live-head">
            <span className="dot" data-state={down || !ready.data.ready ? 'stale' : 'open'} />
            {down ? t('failure.network') : ready.data.ready ? t('health.ready') : t('health.not_ready')}
          </p>
          {reasons.map((r) => (
            <p key={r} className="notice notice-bad">
              <Icon name="warning" />
              {r}
            </p>
          ))}
          {warnings.map((w) => (
            <p key={w} className="notice">
              <Icon name="warning" />
              {w}
            </p>
          ))}
        </div>
      )}
    </Panel>
  )
}

const kinds: Kind[] = ['kept', 'known', 'marked', 'refused']

function Arrivals({ ledger, from, to, step, zone }: { ledger: Ledger; from: number; to: number; step: number; zone: string }) {
  const t = useText()
  const f = useFormat()
  const sums = groupLedger(ledger.verdicts)
  const chart = useMemo(() => ledgerSeries(ledger.series ?? [], from, to, step), [ledger.series, from, to, step])
  return (
    <>
      <div className="sums">
        <div>
          <span className="figure-name">{t('health.total')}</span>
          <span className="figure-value">{f.number(ledger.total)}</span>
        </div>
        {kinds.map((kind) => (
          <div key={kind}>
            <span className="figure-name">{t(`health.${kind}`)}</span>
            <span className="figure-value">{f.number(sums[kind])}</span>
            <span className="small muted digits">{f.share(ledger.total > 0 ? sums[kind] / ledger.total : null)}</span>
          </div>
        ))}
      </div>
      <SeriesChart
        label={t('health.per_time')}
        starts={chart.starts}
        ends={chart.ends}
        values={chart.values}
        kind="count"
        zone={zone}
        days={false}
        height={200}
        text={(n) => f.number(n)}
        axis={(n) => f.short(n)}
      />
    </>
  )
}

function Reasons({ ledger }: { ledger: Ledger }) {
  const t = useText()
  const f = useFormat()
  const reasonText = useReasonText()
  const lines = [...ledger.verdicts].sort((a, b) => b.count - a.count)
  const most = Math.max(1, ...lines.map((l) => l.count))
  return (
    <>
      <Ranking
        label={t('health.reasons')}
        nameOf={t('health.verdict')}
        columns={[
          { id: 'count', name: t('health.count') },
          { id: 'share', name: t('health.share'), secondary: true },
        ]}
        rows={lines.map((l) => ({
          id: `${l.verdict}/${l.reason}`,
          name: reasonText(l.verdict, l.reason),
          share: l.count / most,
          cells: [f.number(l.count), f.share(l.count / ledger.total)],
        }))}
      />
      {ledger.afterwards.map((l) => (
        <p key={`${l.verdict}/${l.reason}`} className="small muted">
          {t('health.afterwards')}: {reasonText(l.verdict, l.reason)}, <span className="digits">{f.number(l.count)}</span>
        </p>
      ))}
    </>
  )
}
