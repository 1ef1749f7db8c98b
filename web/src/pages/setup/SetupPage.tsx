import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { type SubmitEvent, useState } from 'react'
import { type Failure, dataOf, request } from '../../api/client'
import { sessionQuery } from '../../api/queries'
import type { SetupDone, SetupState } from '../../api/types'
import { Brand } from '../../components/Brand'
import { Field } from '../../components/Field'
import { Icon } from '../../components/Icon'
import { Failing } from '../../components/Panel'
import { useText } from '../../i18n'
import { failureText, faultsByField } from '../../lib/failure'
import { SiteFields, emptySite } from './SiteFields'
import { hostsOf } from './hosts'

/** The first run: a person and a site; then on to the snippet. */
export function SetupPage() {
  const t = useText()
  const client = useQueryClient()
  const navigate = useNavigate()
  const { token = '' }: { token?: string } = useSearch({ strict: false })
  const [person, setPerson] = useState({ name: '', email: '', password: '' })
  const [site, setSite] = useState(emptySite)
  const [failure, setFailure] = useState<Failure | null>(null)
  const [busy, setBusy] = useState(false)
  const state = useQuery({
    queryKey: ['setup', token],
    queryFn: ({ signal }) => dataOf(request<SetupState>('/v1/setup', { query: { token }, signal })),
    staleTime: Infinity,
  })

  const submit = async (event: SubmitEvent) => {
    event.preventDefault()
    setBusy(true)
    const result = await request<SetupDone>('/v1/setup', {
      method: 'POST',
      body: { token, ...person, site: { id: site.id, domains: hostsOf(site.domains), timezone: site.timezone } },
    })
    setBusy(false)
    if (!result.ok) {
      setFailure(result.failure)
      return
    }
    client.clear()
    client.setQueryData(sessionQuery.queryKey, result.data.person)
    if (result.data.site) await navigate({ to: '/sites/$site/install', params: { site: result.data.site.id }, replace: true })
    else await navigate({ to: '/new-site', replace: true })
  }

  const faults = faultsByField(failure)
  const siteFaults = Object.fromEntries(Object.entries(faults).flatMap(([k, v]) => (k.startsWith('site.') ? [[k.slice(5), v]] : [])))
  return (
    <main className="alone">
      <div className="alone-box alone-wide">
        <Brand />
        {state.isError ? (
          <Failing error={state.error} retry={() => void state.refetch()} />
        ) : state.data === undefined ? null : !state.data.valid ? (
          <>
            <h1>{t(state.data.needed ? 'setup.gone' : 'setup.done')}</h1>
            <p>{t(state.data.needed ? 'setup.gone_about' : 'setup.done_about')}</p>
            {!state.data.needed && (
              <p>
                <Link to="/sign-in">{t('signin.submit')}</Link>
              </p>
            )}
          </>
        ) : (
          <>
            <div>
              <h1>{t('setup.title')}</h1>
              <p className="muted">{t('setup.about')}</p>
            </div>
            <form className="form" onSubmit={(e) => void submit(e)}>
              <fieldset className="form">
                <legend className="hidden">{t('setup.person')}</legend>
                <div className="form-row">
                  <Field label={t('setup.name')} name="name" autoComplete="name" required autoFocus fault={faults['name']} value={person.name} onChange={(e) => setPerson({ ...person, name: e.target.value })} />
                  <Field label={t('signin.email')} type="email" name="email" autoComplete="username" required fault={faults['email']} value={person.email} onChange={(e) => setPerson({ ...person, email: e.target.value })} />
                </div>
                <Field
                  label={t('signin.password')}
                  hint={t('setup.password_hint')}
                  type="password"
                  name="password"
                  autoComplete="new-password"
                  required
                  minLength={10}
                  fault={faults['password']}
                  value={person.password}
                  onChange={(e) => setPerson({ ...person, password: e.target.value })}
                />
              </fieldset>
              <div className="menu-line" />
              <fieldset className="form">
                <legend className="hidden">{t('setup.site')}</legend>
                <SiteFields site={site} faults={siteFaults} onChange={setSite} />
              </fieldset>
              {failure && Object.keys(faults).length === 0 && (
                <p className="notice notice-bad" role="alert">
                  <Icon name="warning" />
                  {failureText(failure, t)}
                </p>
              )}
              <div className="form-end">
                <button type="submit" className="button button-main" disabled={busy}>
                  {t('setup.submit')}
                </button>
              </div>
            </form>
          </>
        )}
      </div>
    </main>
  )
}
