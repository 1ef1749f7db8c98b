import { useQueryClient } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { type SubmitEvent, useState } from 'react'
import { type Failure, request } from '../api/client'
import { sessionQuery } from '../api/queries'
import type { Session, SignIn } from '../api/types'
import { Brand } from '../components/Brand'
import { Field } from '../components/Field'
import { Icon } from '../components/Icon'
import { useText } from '../i18n'
import { safeNext } from '../lib/address'
import { failureText } from '../lib/failure'

export function SignInPage() {
  const t = useText()
  const client = useQueryClient()
  const navigate = useNavigate()
  const search: { next?: string } = useSearch({ strict: false })
  const [body, setBody] = useState<SignIn>({ email: '', password: '' })
  const [failure, setFailure] = useState<Failure | null>(null)
  const [busy, setBusy] = useState(false)

  const submit = async (event: SubmitEvent) => {
    event.preventDefault()
    setBusy(true)
    const result = await request<Session>('/v1/sessions', { method: 'POST', body })
    setBusy(false)
    if (!result.ok) {
      setFailure(result.failure)
      return
    }
    client.clear()
    client.setQueryData(sessionQuery.queryKey, result.data)
    await navigate({ href: safeNext(search.next), replace: true })
  }
  const wrong = failure?.kind === 'problem' && failure.status === 401
  const often = failure?.kind === 'problem' && failure.status === 429
  return (
    <main className="alone">
      <div className="alone-box">
        <Brand />
        <h1>{t('signin.title')}</h1>
        <form className="form" onSubmit={(e) => void submit(e)}>
          <Field label={t('signin.email')} type="email" name="email" autoComplete="username" required autoFocus value={body.email} onChange={(e) => setBody({ ...body, email: e.target.value })} />
          <Field label={t('signin.password')} type="password" name="password" autoComplete="current-password" required value={body.password} onChange={(e) => setBody({ ...body, password: e.target.value })} />
          {failure && (
            <p className="notice notice-bad" role="alert">
              <Icon name="warning" />
              {wrong ? t('signin.wrong') : often ? t('signin.often') : failureText(failure, t)}
            </p>
          )}
          <button type="submit" className="button button-main" disabled={busy}>
            {t('signin.submit')}
          </button>
        </form>
      </div>
    </main>
  )
}
