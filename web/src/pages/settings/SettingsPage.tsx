import { useQuery } from '@tanstack/react-query'
import { sessionQuery } from '../../api/queries'
import { useText } from '../../i18n'
import { useSite } from '../../state/view'
import { ApiKeys } from './ApiKeys'
import { AppearancePanel } from './AppearancePanel'
import { SitePanel } from './SitePanel'
import { WriteKeys } from './WriteKeys'

/** What can be set for a site and for a person. */
export function SettingsPage() {
  const t = useText()
  const site = useSite()
  const { data: session } = useQuery(sessionQuery)
  const may = (scope: string) => session?.scopes.includes(scope) ?? false
  return (
    <div className="page page-narrow">
      <div className="page-head">
        <h1>{t('nav.settings')}</h1>
      </div>
      <AppearancePanel />
      <SitePanel key={site.id} site={site} mayWrite={may('sites:write')} />
      <WriteKeys site={site} mayWrite={may('sites:write')} />
      {may('admin:write') && <ApiKeys site={site} />}
    </div>
  )
}
