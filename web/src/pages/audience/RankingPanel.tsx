import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { askQuery, namesOf, namesQuestion, rankingQuestion } from '../../api/queries'
import { Change } from '../../components/Change'
import { Choice } from '../../components/Choice'
import { Empty, Panel, RowBones, StaleMark, States } from '../../components/Panel'
import { Ranking } from '../../components/Ranking'
import { useFormat, useText } from '../../i18n'
import { isPicked, toggleValue } from '../../lib/filters'
import { changeOf } from '../../lib/format'
import { hostAddress, webAddress } from '../../lib/address'
import { useValueText } from '../../lib/value'
import type { AudienceProps } from './ImpressionsPanel'

const ranked = ['page_views', 'visitors', 'engaged_seconds_per_view'] as const
const steps = [10, 50, 250]

interface RankingPanelProps extends AudienceProps {
  title: string
  columns: { id: string; name: string }[]
  /** Whether there is room for two numbers only. */
  narrow?: boolean
  /** How the column comes to have values, for where it has none. */
  unknown?: string
}

/** The values of a column that lead, with a click that filters by one. */
export function RankingPanel({ site, view, period, onChange, title, columns, narrow = false, unknown }: RankingPanelProps) {
  const t = useText()
  const f = useFormat()
  const [chosen, setChosen] = useState(columns[0]?.id ?? '')
  const [order, setOrder] = useState<{ by: string; direction: 'asc' | 'desc' }>({ by: 'page_views', direction: 'desc' })
  const [step, setStep] = useState(0)
  const limit = steps[step] ?? 10
  const scope = { range: period.range, filters: view.filters }
  const answer = useQuery(askQuery(site.id, rankingQuestion(scope, chosen, ranked, order, limit + 1), period.open ? 30_000 : false))
  // The old answer stays until the new one is there; it must be of this column.
  const column = answer.isPlaceholderData ? ((answer.data.query.dimensions as string[] | undefined)?.[0] ?? chosen) : chosen
  const values = (answer.data?.results ?? []).map((row) => row.dimensions[0] ?? '')
  const names = namesOf(
    useQuery({ ...askQuery(site.id, namesQuestion(period.range, values)), enabled: column === 'item' && values.length > 0 }).data,
  )
  const earlier = useQuery({
    ...askQuery(
      site.id,
      rankingQuestion(
        { range: period.before ?? period.range, filters: [...view.filters, { operator: 'is', column, values }] },
        column,
        ranked,
        order,
        Math.max(1, values.length),
      ),
    ),
    enabled: period.before !== null && values.length > 0 && !answer.isPlaceholderData,
  })
  const before = new Map((period.before && earlier.data ? earlier.data.results : []).map((row) => [row.dimensions[0] ?? '', row.metrics[0] ?? null]))

  const valueText = useValueText()
  const nameOf = (value: string) => (column === 'item' && names.get(value)?.title) || valueText(column, value)
  const addressOf = (value: string) => {
    if (column === 'item') return webAddress(names.get(value)?.url)
    return column === 'referrer_host' && value !== '(none)' ? hostAddress(value) : undefined
  }

  return (
    <Panel
      title={title}
      flush
      busy={answer.isPlaceholderData}
      actions={
        <>
          <StaleMark query={answer} />
          {columns.length > 1 && (
            <Choice
              label={title}
              value={chosen}
              options={columns.map((c) => ({ value: c.id, name: c.name }))}
              onChange={(id) => {
                setChosen(id)
                setStep(0)
              }}
            />
          )}
        </>
      }
    >
      <States
        query={answer}
        skeleton={<RowBones rows={10} />}
        isEmpty={(data) => data.results.length === 0 || (unknown !== undefined && data.results.every((row) => row.dimensions[0] === '(none)' || row.metrics[0] === 0))}
        empty={
          unknown !== undefined && answer.data && answer.data.results.length > 0 ? (
            <Empty title={t('audience.unknown')}>
              <p>{unknown}</p>
            </Empty>
          ) : (
            <Empty title={t('ranking.empty')}>
              <p>{t(view.filters.length > 0 ? 'ranking.empty_filtered' : 'ranking.empty_about')}</p>
              {view.filters.length > 0 && (
                <button type="button" className="button" onClick={() => onChange({ filters: [] })}>
                  {t('filter.clear')}
                </button>
              )}
            </Empty>
          )
        }
      >
        {(data) => {
          // What has no page views, as reading time that came without its page, is no rank.
          const rows = data.results.slice(0, limit).filter((row) => (row.metrics[0] ?? 0) > 0)
          const by = ranked.findIndex((m) => m === order.by)
          const most = Math.max(...rows.map((row) => row.metrics[by] ?? 0), 1e-9)
          return (
            <>
              <Ranking
                label={title}
                nameOf={columns.find((c) => c.id === column)?.name ?? ''}
                columns={[
                  { id: 'page_views', name: t('metric.page_views'), width: period.before ? 156 : 112 },
                  { id: 'visitors', name: t('metric.visitors'), secondary: true, width: 88 },
                  ...(narrow ? [] : [{ id: 'engaged_seconds_per_view', name: t('metric.engaged_seconds_per_view'), secondary: true }]),
                ]}
                order={order}
                onOrder={(id) => setOrder({ by: id, direction: order.by === id && order.direction === 'desc' ? 'asc' : 'desc' })}
                picked={(value) => isPicked(view.filters, column, value)}
                onPick={(value) => onChange({ filters: toggleValue(view.filters, column, value) })}
                rows={rows.map((row) => {
                  const value = row.dimensions[0] ?? ''
                  const [views = null, visitors = null, engaged = null] = row.metrics
                  return {
                    id: value,
                    name: nameOf(value),
                    address: addressOf(value),
                    share: (row.metrics[by] ?? 0) / most,
                    cells: [
                      <span key="v" className="cell-views">
                        {f.number(views)}
                        {period.before && <Change change={changeOf(views, before.get(value) ?? null)} />}
                      </span>,
                      f.number(visitors),
                      ...(narrow ? [] : [f.seconds(engaged)]),
                    ],
                  }
                })}
              />
              {(data.results.length > limit || step > 0) && (
                <div className="more">
                  <button type="button" className="button button-plain" onClick={() => setStep(data.results.length > limit && step + 1 < steps.length ? step + 1 : 0)}>
                    {data.results.length > limit && step + 1 < steps.length ? t('ranking.more') : t('ranking.fewer')}
                  </button>
                </div>
              )}
            </>
          )
        }}
      </States>
    </Panel>
  )
}
