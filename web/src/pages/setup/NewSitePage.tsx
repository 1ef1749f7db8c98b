import { useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { type SubmitEvent, useState } from 'react'
import { type Failure, request } from '../../api/client'
import { sitesQuery } from '../../api/queries'
import type { NewSite } from '../../api/types'
import { Brand } from '../../components/Brand'
import { Icon } from '../../components/Icon'
import { useText } from '../../i18n'
import { failureText, faultsByField } from '../../lib/failure'
import { SiteFields, emptySite } from './SiteFields'
import { hostsOf } from './hosts'

/** One more site. */
export function NewSitePage() {
  const t = useText()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [site, setSite] = useState(emptySite)
  const [failure, setFailure] = useState<Failure | null>(null)
  const [busy, setBusy] = useState(false)
  const submit = async (event: SubmitEvent) => {
    event.preventDefault()
    setBusy(true)
    const result = await request<NewSite>('/v1/sites', { method: 'POST', body: { id: site.id, domains: hostsOf(site.domains), timezone: site.timezone } })
    setBusy(false)
    if (!result.ok) {
      setFailure(result.failure)
      return
    }
    await client.invalidateQueries({ queryKey: sitesQuery.queryKey })
    await navigate({ to: '/sites/$site/install', params: { site: result.data.id } })
  }
  const faults = faultsByField(failure)
  return (
    <main className="alone">
      <div className="alone-box alone-wide">
        <Brand />
        <h1>{t('site.new')}</h1>
        <form className="form" onSubmit={(e) => void submit(e)}>
          <SiteFields site={site} faults={faults} onChange={setSite} />
          {failure && Object.keys(faults).length === 0 && (
            <p className="notice notice-bad" role="alert">
              <Icon name="warning" />
              {failureText(failure, t)}
            </p>
          )}
          <div className="form-end">
            <button type="submit" className="button button-main" disabled={busy}>
              {t('site.create')}
            </button>
            <Link to="/">{t('action.cancel')}</Link>
          </div>
        </form>
      </div>
    </main>
  )
}
