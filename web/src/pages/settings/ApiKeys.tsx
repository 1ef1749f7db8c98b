import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type SubmitEvent, useState } from 'react'
import { dataOf, failureOf, request } from '../../api/client'
import { keysQuery } from '../../api/queries'
import type { Key, KeyInput, NewKey, Site } from '../../api/types'
import { Confirm } from '../../components/Confirm'
import { Field } from '../../components/Field'
import { Icon } from '../../components/Icon'
import { Modal } from '../../components/Modal'
import { Empty, Panel, RowBones, States } from '../../components/Panel'
import { Snippet } from '../../components/Snippet'
import { useFormat, useText } from '../../i18n'
import { failureText } from '../../lib/failure'

/** What this version of the server can be asked to do with a key. */
const scopes = [
  'query:read', 'segments:read', 'events:read', 'events:import', 'program:read', 'program:write', 'decisions:read', 'decisions:write',
  'readers:read', 'readers:write', 'catalog:read', 'catalog:write', 'sites:read', 'sites:write', 'admin:read', 'admin:write',
]

/** Keys for programs. */
export function ApiKeys({ site }: { site: Site }) {
  const t = useText()
  const f = useFormat()
  const client = useQueryClient()
  const keys = useQuery(keysQuery)
  const [making, setMaking] = useState(false)
  const [leaving, setLeaving] = useState<Key | null>(null)
  const remove = useMutation({
    mutationFn: (key: Key) => dataOf(request<string>(`/v1/keys/${encodeURIComponent(key.id)}`, { method: 'DELETE' })),
    onSuccess: async () => {
      setLeaving(null)
      await client.invalidateQueries({ queryKey: keysQuery.queryKey })
    },
  })
  return (
    <Panel
      title={t('settings.api_keys')}
      actions={
        <button type="button" className="button" onClick={() => setMaking(true)}>
          <Icon name="plus" />
          {t('settings.new_api_key')}
        </button>
      }
    >
      <States
        query={keys}
        skeleton={<RowBones rows={2} />}
        isEmpty={(list) => list.length === 0}
        empty={
          <Empty title={t('settings.no_api_keys')}>
            <p>{t('settings.no_api_keys_about')}</p>
            <Snippet label={t('settings.example')} code={`curl ${window.location.origin}/v1/sites/${site.id}/query \\\n  -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\\n  -d '{"metrics":["page_views"],"date_range":"24h"}'`} />
          </Empty>
        }
      >
        {(list) => (
          <ul className="list">
            {list.map((key) => (
              <li key={key.id}>
                <span className="list-main">
                  <b>{key.name}</b> <code className="muted">{key.hint}…</code>
                  <span className="small muted rank-sub">
                    {key.scopes.join(', ')} · {key.sites?.join(', ') ?? t('settings.all_sites')} · {t('settings.created', { date: f.day(Date.parse(key.created_at), site.timezone) })}
                  </span>
                </span>
                <button type="button" className="icon-button" onClick={() => setLeaving(key)} aria-label={t('settings.delete_key', { name: key.name })}>
                  <Icon name="trash" />
                </button>
              </li>
            ))}
          </ul>
        )}
      </States>
      {making && <NewKeyDialog site={site} onClose={() => setMaking(false)} />}
      <Confirm
        open={leaving !== null}
        title={t('settings.delete_api_key_title', { name: leaving?.name ?? '' })}
        about={t('settings.delete_api_key_about')}
        action={t('action.delete')}
        error={remove.error}
        onClose={() => setLeaving(null)}
        onConfirm={() => leaving && remove.mutate(leaving)}
      />
    </Panel>
  )
}

function NewKeyDialog({ site, onClose }: { site: Site; onClose: () => void }) {
  const t = useText()
  const client = useQueryClient()
  const [name, setName] = useState('')
  const [chosen, setChosen] = useState<string[]>(['query:read'])
  const [only, setOnly] = useState(true)
  const create = useMutation({
    mutationFn: () => {
      const body: KeyInput = { name, scopes: chosen, ...(only ? { sites: [site.id] } : {}) }
      return dataOf(request<NewKey>('/v1/keys', { method: 'POST', body }))
    },
    onSuccess: () => client.invalidateQueries({ queryKey: keysQuery.queryKey }),
  })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    create.mutate()
  }
  if (create.data) {
    return (
      <Modal open onClose={onClose} title={t('settings.key_made')} about={t('settings.key_once')}>
        <Snippet code={create.data.key} label={t('settings.key_made')} />
        <div className="form-end">
          <button type="button" className="button button-main" onClick={onClose}>
            {t('action.done')}
          </button>
        </div>
      </Modal>
    )
  }
  return (
    <Modal open onClose={onClose} title={t('settings.new_api_key')}>
      <form className="form" onSubmit={submit}>
        <Field label={t('settings.name')} hint={t('settings.key_name_hint')} name="name" required autoFocus value={name} onChange={(e) => setName(e.target.value)} />
        <fieldset className="field">
          <legend>{t('settings.scopes')}</legend>
          <div className="scopes">
            {scopes.map((s) => (
              <label key={s} className="check">
                <input type="checkbox" checked={chosen.includes(s)} onChange={(e) => setChosen(e.target.checked ? [...chosen, s] : chosen.filter((c) => c !== s))} />
                {s}
              </label>
            ))}
          </div>
          <p className="field-hint">{t('settings.scopes_hint')}</p>
        </fieldset>
        <label className="check">
          <input type="checkbox" checked={only} onChange={(e) => setOnly(e.target.checked)} />
          {t('settings.only_site', { site: site.name })}
        </label>
        {create.isError && (
          <p className="field-fault" role="alert">
            {failureText(failureOf(create.error), t)}
          </p>
        )}
        <div className="form-end">
          <button type="submit" className="button button-main" disabled={create.isPending || chosen.length === 0}>
            {t('settings.create_key')}
          </button>
        </div>
      </form>
    </Modal>
  )
}
