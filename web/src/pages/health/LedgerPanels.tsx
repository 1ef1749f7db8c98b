import { useMemo } from 'react'
import type { Ledger } from '../../api/types'
import { RowBones } from '../../components/Panel'
import { Tip } from '../../components/Tip'
import { SeriesChart } from '../../components/chart/SeriesChart'
import { SpokenTable } from '../../components/chart/SeriesTable'
import { useFormat, useText } from '../../i18n'
import { type Kind, type Line, groupLedger, kinds, ledgerSeries, linesByKind } from '../../lib/ledger'
import { useReason } from '../../lib/reason'
import type { Range } from '../../lib/span'

interface ArrivalsProps {
  ledger: Ledger
  /** What the chart shows; null: everything. */
  kind: Kind | null
  onKind: (kind: Kind | null) => void
  onZoom: (range: Range) => void
  from: number
  to: number
  step: number
  zone: string
}

/** How much arrived in all and of each kind; the chosen one over time. */
export function Arrivals({ ledger, kind, onKind, onZoom, from, to, step, zone }: ArrivalsProps) {
  const t = useText()
  const f = useFormat()
  const sums = groupLedger(ledger.verdicts)
  const name = kind === null ? t('health.per_time') : t(`health.${kind}`)
  const chart = useMemo(
    () => ({
      label: name,
      ...ledgerSeries(ledger.series ?? [], kind, from, to, step),
      kind: 'count' as const,
      zone,
      days: false,
      text: (n: number | null) => f.number(n),
      axis: (n: number | null) => f.short(n),
    }),
    [name, ledger.series, kind, from, to, step, zone, f],
  )
  return (
    <>
      <div className="figures figures-five" role="group" aria-label={t('health.choose')}>
        {([null, ...kinds] as const).map((k) => {
          const count = k === null ? ledger.total : sums[k]
          return (
            <Tip key={k ?? 'total'} text={t(`about.ledger_${k ?? 'total'}`)}>
              <button type="button" className="figure" aria-pressed={k === kind} data-kind={k ?? 'total'} onClick={() => onKind(k)}>
                <span className="figure-name">{t(`health.${k ?? 'total'}`)}</span>
                <span className="figure-value">{f.number(count)}</span>
                <span className="small muted digits">{f.share(count / ledger.total)}</span>
              </button>
            </Tip>
          )
        })}
      </div>
      <div className="panel-body">
        <SeriesChart {...chart} height={200} onZoom={onZoom} />
        <SpokenTable {...chart} />
      </div>
    </>
  )
}

export function ArrivalsBones() {
  return (
    <>
      <div className="figures figures-five">
        {['total', ...kinds].map((k) => (
          <div key={k} className="figure">
            <span className="bone" style={{ height: 16, width: '56%', margin: '2px 0' }} />
            <span className="bone" style={{ height: 24, width: '80%', margin: '4px 0' }} />
            <span className="bone" style={{ height: 12, width: '32%', margin: '2px 0' }} />
          </div>
        ))}
      </div>
      <div style={{ padding: 16 }}>
        <span className="bone" style={{ height: 200 }} />
      </div>
    </>
  )
}

/** Every line of the ledger with what it means; they add up to what arrived. */
export function Reasons({ ledger, kind }: { ledger: Ledger; kind: Kind | null }) {
  const t = useText()
  const f = useFormat()
  const groups = linesByKind(ledger.verdicts).filter((g) => kind === null || g.kind === kind)
  return (
    <table className="ranking ledger">
      <caption className="hidden">{t('health.reasons')}</caption>
      <LedgerHead withShare />
      {groups.map((g) => (
        <tbody key={g.kind} data-kind={g.kind}>
          <tr className="ledger-group">
            <th scope="rowgroup">
              {t(`health.${g.kind}`)}
              <span className="small muted">{t(`about.ledger_${g.kind}`)}</span>
            </th>
            <td>{f.number(g.sum)}</td>
            <td className="secondary">{f.share(g.sum / ledger.total)}</td>
          </tr>
          {g.lines
            .filter((l) => g.lines.length > 1 || l.reason !== '')
            .map((l) => (
              <LedgerRow key={`${l.verdict}/${l.reason}`} line={l} share={l.count / ledger.total} />
            ))}
        </tbody>
      ))}
      {kind === null && (
        <tfoot>
          <tr className="ledger-group">
            <th scope="row">{t('health.everything')}</th>
            <td>{f.number(groups.reduce((n, g) => n + g.sum, 0))}</td>
            <td className="secondary">{f.share(1)}</td>
          </tr>
        </tfoot>
      )}
    </table>
  )
}

export const ReasonsBones = () => <RowBones rows={5} />

/** What became later of what was stored; no part of the sum. */
export function Afterwards({ ledger }: { ledger: Ledger }) {
  const t = useText()
  return (
    <table className="ranking ledger">
      <caption className="hidden">{t('health.afterwards')}</caption>
      <LedgerHead />
      <tbody>
        {ledger.afterwards.map((l) => (
          <LedgerRow key={`${l.verdict}/${l.reason}`} line={l} />
        ))}
      </tbody>
    </table>
  )
}

function LedgerHead({ withShare = false }: { withShare?: boolean }) {
  const t = useText()
  return (
    <thead>
      <tr>
        <th scope="col">{t('health.verdict')}</th>
        <th scope="col">{t('health.count')}</th>
        {withShare && (
          <th scope="col" className="secondary">
            {t('health.share')}
          </th>
        )}
      </tr>
    </thead>
  )
}

/** A line in words; share is of everything that arrived, where it is part of that. */
function LedgerRow({ line, share }: { line: Line; share?: number }) {
  const f = useFormat()
  const { name, why } = useReason()(line.verdict, line.reason)
  return (
    <tr style={{ '--share': share ?? 0 }}>
      <td>
        {name}
        {why && <span className="small muted">{why}</span>}
      </td>
      <td>{f.number(line.count)}</td>
      {share !== undefined && <td className="secondary">{f.share(share)}</td>}
    </tr>
  )
}
