import { useState } from 'react'
import { useFormat, useText } from '../../i18n'
import { Icon } from '../Icon'
import type { SeriesChartProps } from './SeriesChart'

const pageSize = 50

/** The numbers of a chart as a table, page by page. */
export function SeriesTable(props: SeriesChartProps) {
  const t = useText()
  const [page, setPage] = useState(0)
  const { length } = props.starts
  const pages = Math.max(1, Math.ceil(length / pageSize))
  const first = Math.min(page, pages - 1) * pageSize
  return (
    <>
      <div className="numbers-wrap">
        <Numbers {...props} first={first} end={first + pageSize} />
      </div>
      {pages > 1 && (
        <div className="pager">
          <span className="small muted digits">{t('table.page', { page: first / pageSize + 1, pages })}</span>
          <button type="button" className="icon-button" disabled={first === 0} onClick={() => setPage(first / pageSize - 1)} aria-label={t('table.previous')}>
            <Icon name="left" />
          </button>
          <button type="button" className="icon-button" disabled={first + pageSize >= length} onClick={() => setPage(first / pageSize + 1)} aria-label={t('table.next')}>
            <Icon name="right" />
          </button>
        </div>
      )}
    </>
  )
}

/** The same for screen readers, beside a chart of up to 400 numbers: unseen, so nothing in it takes the focus. */
export function SpokenTable(props: SeriesChartProps) {
  const { length } = props.starts
  return (
    length <= 400 && (
      <div className="hidden">
        <Numbers {...props} first={0} end={length} />
      </div>
    )
  )
}

function Numbers({ label, starts, values, before, zone, days, text, first, end }: SeriesChartProps & { first: number; end: number }) {
  const t = useText()
  const f = useFormat()
  const when = (i: number) => (days ? f.day(i, zone) : f.dateTime(i, zone))
  return (
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
        {starts.slice(first, end).map((start, n) => (
          <tr key={start}>
            <td>{when(start)}</td>
            <td>{text(values[first + n] ?? null)}</td>
            {before && <td>{text(before.values[first + n] ?? null)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
