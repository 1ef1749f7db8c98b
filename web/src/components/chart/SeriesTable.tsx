import { useState } from 'react'
import { useFormat, useText } from '../../i18n'
import { Icon } from '../Icon'
import type { SeriesChartProps } from './SeriesChart'

const pageSize = 50

/** The numbers of a chart as a table, page by page. */
export function SeriesTable({ label, starts, values, before, zone, days, text }: SeriesChartProps) {
  const t = useText()
  const f = useFormat()
  const [page, setPage] = useState(0)
  const pages = Math.max(1, Math.ceil(starts.length / pageSize))
  const first = Math.min(page, pages - 1) * pageSize
  const when = (i: number) => (days ? f.day(i, zone) : f.dateTime(i, zone))
  return (
    <>
      <div className="numbers-wrap">
        <table className="numbers">
          <caption className="hidden">{label}</caption>
          <thead>
            <tr>
              <th scope="col">
                {t('chart.time')} ({zone})
              </th>
              <th scope="col">{label}</th>
              {before && <th scope="col">{t('compare.before')}</th>}
            </tr>
          </thead>
          <tbody>
            {starts.slice(first, first + pageSize).map((start, n) => (
              <tr key={start}>
                <td>{when(start)}</td>
                <td>{text(values[first + n] ?? null)}</td>
                {before && <td>{text(before.values[first + n] ?? null)}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {pages > 1 && (
        <div className="pager">
          <span className="small muted digits">{t('table.page', { page: first / pageSize + 1, pages })}</span>
          <button type="button" className="icon-button" disabled={first === 0} onClick={() => setPage(first / pageSize - 1)} aria-label={t('table.previous')}>
            <Icon name="left" />
          </button>
          <button type="button" className="icon-button" disabled={first + pageSize >= starts.length} onClick={() => setPage(first / pageSize + 1)} aria-label={t('table.next')}>
            <Icon name="right" />
          </button>
        </div>
      )}
    </>
  )
}
