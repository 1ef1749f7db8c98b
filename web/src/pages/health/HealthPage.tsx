import { useQuery } from '@tanstack/react-query'
import { ledgerQuery, quarantineQuery, readyQuery } from '../../api/queries'
import { Icon } from '../../components/Icon'
import { PageControls } from '../../components/PageControls'
import { Empty, Failing, Panel, StaleMark, States } from '../../components/Panel'
import { SiteSnippet } from '../../components/SiteSnippet'
import { useFormat, useText } from '../../i18n'
import { kinds } from '../../lib/ledger'
import { spanOfTimes } from '../../lib/span'
import { defaultMetric } from '../../state/address'
import { usePeriod, useSite, useView } from '../../state/view'
import { Afterwards, Arrivals, ArrivalsBones, Reasons, ReasonsBones } from './LedgerPanels'

/** Whether the server does its work; what arrived, and what became of it. */
export function HealthPage() {
  const t = useText()
  const f = useFormat()
  const site = useSite()
  const [view, change] = useView()
  const period = usePeriod(site, view)
  // Arrivals are counted by the wall clock, also where the site's clock is another.
  const { from, to } = period.range
  const step = to - from > 3 * 86_400_000 ? 'hour' : '5min'
  const ledger = useQuery(ledgerQuery(site.id, period.range, step))
  const kind = kinds.find((k) => k === view.metric) ?? null
  return (
    <div className="page">
      <PageControls title={t('nav.health')} site={site} view={view} period={period} onChange={change} />
      <Readiness />
      <section className="panel" aria-label={t('health.arrived')}>
        <States
          query={ledger}
          skeleton={<ArrivalsBones />}
          isEmpty={(l) => l.total === 0}
          empty={
            <Empty title={t('health.empty')}>
              <p>{t('audience.empty_about')}</p>
              <SiteSnippet site={site.id} />
            </Empty>
          }
        >
          {(data) => (
            <div className={ledger.isPlaceholderData ? 'busy' : undefined} aria-busy={ledger.isPlaceholderData}>
              <Arrivals
                ledger={data}
                kind={kind}
                onKind={(k) => change({ metric: k ?? defaultMetric })}
                onZoom={(r) => r.to - r.from < to - from && change({ zoom: spanOfTimes(r, site.timezone) })}
                from={from}
                to={to}
                step={step === 'hour' ? 3_600_000 : 300_000}
                zone={site.timezone}
              />
              <div className="panel-foot">
                <span>
                  {t('health.by_arrival', { range: f.range(period.whole.from, period.whole.to, site.timezone) })} · {t('panel.zone', { zone: site.timezone })}
                </span>
                <StaleMark query={ledger} />
              </div>
            </div>
          )}
        </States>
      </section>
      {(ledger.data === undefined ? !ledger.isError : ledger.data.total > 0) && (
        <Panel title={t('health.reasons')} flush busy={ledger.isPlaceholderData}>
          <States query={ledger} skeleton={<ReasonsBones />}>
            {(data) => <Reasons ledger={data} kind={kind} />}
          </States>
        </Panel>
      )}
      {ledger.data && ledger.data.afterwards.length > 0 && (
        <Panel title={t('health.afterwards')} flush busy={ledger.isPlaceholderData} foot={<span>{t('health.afterwards_about')}</span>}>
          <Afterwards ledger={ledger.data} />
        </Panel>
      )}
      <Quarantine />
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

/** Messages that the engine leaves out; nothing where there are none. */
function Quarantine() {
  const t = useText()
  const list = useQuery(quarantineQuery)
  if (list.isError && list.data === undefined) {
    return (
      <Panel title={t('health.quarantine')}>
        <Failing error={list.error} retry={() => void list.refetch()} />
      </Panel>
    )
  }
  if (!list.data || list.data.length === 0) return null
  return (
    <Panel title={t('health.quarantine')} flush foot={<span>{t('health.quarantine_about')}</span>}>
      <table className="ranking ledger">
        <caption className="hidden">{t('health.quarantine')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('health.cause')}</th>
            <th scope="col" style={{ width: 128 }}>
              {t('health.position')}
            </th>
            <th scope="col" style={{ width: 160 }}>
              <span className="hidden">{t('health.quarantine_read')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {list.data.map((m) => (
            <tr key={m.position}>
              <td>{m.cause}</td>
              <td>{m.position}</td>
              <td>
                <a href={`/v1/quarantine/${encodeURIComponent(m.position)}`} target="_blank" rel="noreferrer">
                  {t('health.quarantine_read')}
                </a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  )
}
