import { useText } from '../../i18n'
import { PageControls } from '../../components/PageControls'
import { useSite, usePeriod, useView } from '../../state/view'
import { ImpressionsPanel } from './ImpressionsPanel'
import { RankingPanel } from './RankingPanel'

/** Page impressions of a span, and what brought them. */
export function AudiencePage() {
  const t = useText()
  const site = useSite()
  const [view, change] = useView()
  const period = usePeriod(site, view)
  const shared = { site, view, period, onChange: change }
  return (
    <div className="page">
      <PageControls title={t('nav.audience')} site={site} view={view} period={period} onChange={change} withFilters withCompare />
      <ImpressionsPanel {...shared} />
      <div className="columns columns-wide-first">
        <RankingPanel
          {...shared}
          title={t('audience.articles')}
          columns={[
            { id: 'item', name: t('audience.articles') },
            { id: 'section', name: t('audience.sections') },
            { id: 'path', name: t('audience.paths') },
          ]}
        />
        <RankingPanel {...shared} title={t('audience.referrers')} columns={[{ id: 'referrer_host', name: t('audience.referrers') }]} narrow />
      </div>
      <div className="columns columns-three">
        <RankingPanel {...shared} title={t('audience.channels')} columns={[{ id: 'channel', name: t('audience.channels') }]} unknown={t('audience.unknown_channel')} narrow />
        <RankingPanel {...shared} title={t('audience.countries')} columns={[{ id: 'country', name: t('audience.countries') }]} unknown={t('audience.unknown_country')} narrow />
        <RankingPanel
          {...shared}
          title={t('audience.devices')}
          columns={[
            { id: 'device_class', name: t('audience.device_classes') },
            { id: 'browser', name: t('audience.browsers') },
            { id: 'os', name: t('audience.systems') },
          ]}
          unknown={t('audience.unknown_device_class')}
          narrow
        />
      </div>
    </div>
  )
}
