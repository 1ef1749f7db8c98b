import type { Site } from '../api/types'
import { useFormat, useText } from '../i18n'
import type { View } from '../state/address'
import type { Period } from '../state/view'
import { CompareMenu } from './CompareMenu'
import { FilterChips, FilterSearch } from './Filters'
import { Icon } from './Icon'
import { SpanPicker } from './SpanPicker'

interface PageControlsProps {
  title: string
  site: Site
  view: View
  period: Period
  onChange: (change: Partial<View>) => void
  withFilters?: boolean
  withCompare?: boolean
}

const weekdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']

/** The head of a page: its name, and what it is about: span, comparison, filters. */
export function PageControls({ title, site, view, period, onChange, withFilters = false, withCompare = false }: PageControlsProps) {
  const t = useText()
  const f = useFormat()
  const filterProps = { site: site.id, range: period.whole, filters: view.filters, onChange: (filters: View['filters']) => onChange({ filters }) }
  const chips = view.zoom !== null || (withFilters && view.filters.length > 0)
  return (
    <>
      <div className="page-head">
        <h1>{title}</h1>
        {withFilters && <FilterSearch {...filterProps} />}
        <SpanPicker
          span={view.span}
          range={period.whole}
          now={period.now}
          min={period.windowFrom}
          zone={site.timezone}
          weekStart={Math.max(0, weekdays.indexOf(site.week_start))}
          onChange={(span) => onChange({ span, zoom: null, resolution: null })}
        />
        {withCompare && <CompareMenu compare={view.compare} onChange={(compare) => onChange({ compare })} />}
      </div>
      {chips && (
        <div className="bar">
          {view.zoom !== null && (
            <span className="chip">
              <span>
                {t('chart.zoomed')} <b>{f.range(period.whole.from, period.whole.to, site.timezone)}</b>
              </span>
              <button type="button" className="icon-button" onClick={() => onChange({ zoom: null, resolution: null })} aria-label={t('chart.zoom_out')}>
                <Icon name="close" size={14} />
              </button>
            </span>
          )}
          {withFilters && <FilterChips {...filterProps} />}
        </div>
      )}
    </>
  )
}
