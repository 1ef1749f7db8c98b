import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { dataOf, failureOf, request, sitePath } from '../../api/client'
import { writeKeysQuery } from '../../api/queries'
import type { Site, WriteKey } from '../../api/types'
import { Confirm } from '../../components/Confirm'
import { Icon } from '../../components/Icon'
import { Empty, Panel, RowBones, States } from '../../components/Panel'
import { SiteSnippet } from '../../components/SiteSnippet'
import { useFormat, useText } from '../../i18n'
import { failureText } from '../../lib/failure'

/** The snippet of a site and the keys that stand in its pages. */
export function WriteKeys({ site, mayWrite }: { site: Site; mayWrite: boolean }) {
  const t = useText()
  const f = useFormat()
  const client = useQueryClient()
  const keys = useQuery(writeKeysQuery(site.id))
  const [leaving, setLeaving] = useState<WriteKey | null>(null)
  const changed = () => client.invalidateQueries({ queryKey: ['site', site.id] })
  const create = useMutation({ mutationFn: () => dataOf(request<WriteKey>(sitePath(site.id, 'write-keys'), { method: 'POST', body: {} })), onSuccess: changed })
  const remove = useMutation({
    mutationFn: (key: WriteKey) => dataOf(request<string>(sitePath(site.id, `write-keys/${encodeURIComponent(key.id)}`), { method: 'DELETE' })),
    onSuccess: async () => {
      setLeaving(null)
      await changed()
    },
  })
  return (
    <Panel
      title={t('settings.collecting')}
      actions={
        mayWrite && (
          <button type="button" className="button" disabled={create.isPending} onClick={() => create.mutate()}>
            <Icon name="plus" />
            {t('settings.new_write_key')}
          </button>
        )
      }
    >
      <div className="form">
        <p className="muted">{t('settings.snippet_about')}</p>
        <SiteSnippet site={site.id} />
        <States query={keys} skeleton={<RowBones rows={1} />} isEmpty={(list) => list.length === 0} empty={<Empty title={t('settings.no_write_keys')} />}>
          {(list) => (
            <ul className="list">
              {list.map((key) => (
                <li key={key.id}>
                  <span className="list-main">
                    <code>{key.key}</code>
                    <span className="small muted rank-sub">
                      {[key.name, t('settings.created', { date: f.day(Date.parse(key.created_at), site.timezone) })].filter(Boolean).join(' · ')}
                    </span>
                  </span>
                  {mayWrite && (
                    <button type="button" className="icon-button" onClick={() => setLeaving(key)} aria-label={t('settings.delete_key', { name: key.key })}>
                      <Icon name="trash" />
                    </button>
                  )}
                </li>
              ))}
            </ul>
          )}
        </States>
        {create.isError && <p className="field-fault">{failureText(failureOf(create.error), t)}</p>}
      </div>
      <Confirm
        open={leaving !== null}
        title={t('settings.delete_write_key_title')}
        about={t('settings.delete_write_key_about')}
        action={t('action.delete')}
        error={remove.error}
        onClose={() => setLeaving(null)}
        onConfirm={() => leaving && remove.mutate(leaving)}
      />
    </Panel>
  )
}
