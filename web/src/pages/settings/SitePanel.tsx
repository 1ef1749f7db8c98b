import { useQueryClient } from '@tanstack/react-query'
import { type SubmitEvent, useMemo, useState } from 'react'
import { type Failure, request, sitePath } from '../../api/client'
import { sitesQuery } from '../../api/queries'
import type { Site, SitePatch } from '../../api/types'
import { Field, SelectField } from '../../components/Field'
import { Icon } from '../../components/Icon'
import { Panel } from '../../components/Panel'
import { useText } from '../../i18n'
import { failureText, faultsByField } from '../../lib/failure'
import { hostsOf } from '../setup/hosts'

const weekdays = ['monday', 'saturday', 'sunday'] as const
const withoutConsent = ['cookieless', 'assume', 'drop'] as const

/** Name, hosts, calendar, consent and the servers in front of a site. */
export function SitePanel({ site, mayWrite }: { site: Site; mayWrite: boolean }) {
  const t = useText()
  const client = useQueryClient()
  const [draft, setDraft] = useState({
    name: site.name,
    domains: site.domains.join(', '),
    timezone: site.timezone,
    window: site.window,
    week_start: site.week_start,
    trusted_proxies: site.trusted_proxies.join(', '),
    without_consent: site.privacy.without_consent ?? withoutConsent[0],
  })
  const [failure, setFailure] = useState<Failure | null>(null)
  const [state, setState] = useState<'' | 'busy' | 'saved'>('')
  const zones = useMemo(() => [...new Set([site.timezone, 'UTC', ...Intl.supportedValuesOf('timeZone')])], [site.timezone])
  const faults = faultsByField(failure)

  const submit = async (event: SubmitEvent) => {
    event.preventDefault()
    setState('busy')
    const { without_consent, ...rest } = draft
    const body = {
      ...rest,
      domains: hostsOf(draft.domains),
      trusted_proxies: draft.trusted_proxies.split(/[\s,]+/).filter((p) => p !== ''),
      privacy: { ...site.privacy, without_consent },
    } as SitePatch
    const result = await request<Site>(sitePath(site.id), { method: 'PATCH', body })
    setFailure(result.ok ? null : result.failure)
    setState(result.ok ? 'saved' : '')
    if (result.ok) {
      client.setQueryData(sitesQuery.queryKey, (old) => old?.map((s) => (s.id === site.id ? result.data : s)))
    }
  }
  const set = (part: Partial<typeof draft>) => {
    setDraft({ ...draft, ...part })
    setState('')
  }
  return (
    <Panel title={t('settings.site')}>
      <form className="form" onSubmit={(e) => void submit(e)}>
        <fieldset className="form" disabled={!mayWrite}>
          <div className="form-row">
            <Field label={t('settings.name')} name="name" value={draft.name} fault={faults['name']} onChange={(e) => set({ name: e.target.value })} />
            <Field label={t('site.id')} value={site.id} readOnly disabled />
          </div>
          <Field label={t('site.domains')} hint={t('site.domains_hint')} name="domains" value={draft.domains} fault={faults['domains']} spellCheck={false} onChange={(e) => set({ domains: e.target.value })} />
          <div className="form-row">
            <SelectField label={t('site.timezone')} hint={t('site.timezone_hint')} name="timezone" value={draft.timezone} fault={faults['timezone']} onChange={(e) => set({ timezone: e.target.value })}>
              {zones.map((z) => (
                <option key={z}>{z}</option>
              ))}
            </SelectField>
            <SelectField label={t('settings.week_start')} name="week_start" value={draft.week_start} fault={faults['week_start']} onChange={(e) => set({ week_start: e.target.value })}>
              {weekdays.map((d) => (
                <option key={d} value={d}>
                  {t(`weekday.${d}`)}
                </option>
              ))}
            </SelectField>
          </div>
          <div className="form-row">
            <Field label={t('settings.window')} hint={t('settings.window_hint')} name="window" value={draft.window} fault={faults['window']} onChange={(e) => set({ window: e.target.value })} />
            <Field label={t('settings.clock')} hint={t('settings.clock_hint')} value={t(`settings.clock_${site.clock}`)} readOnly disabled />
          </div>
          <Field label={t('settings.trusted_proxies')} hint={t('settings.trusted_proxies_hint')} name="trusted_proxies" placeholder="127.0.0.1, 10.0.0.0/8" value={draft.trusted_proxies} fault={faults['trusted_proxies']} spellCheck={false} onChange={(e) => set({ trusted_proxies: e.target.value })} />
          <SelectField label={t('settings.without_consent')} hint={t(`settings.without_consent_${draft.without_consent}_hint`)} name="without_consent" value={draft.without_consent} fault={faults['privacy']} onChange={(e) => set({ without_consent: e.target.value as typeof draft.without_consent })}>
            {withoutConsent.map((w) => (
              <option key={w} value={w}>
                {t(`settings.without_consent_${w}`)}
              </option>
            ))}
          </SelectField>
        </fieldset>
        {failure && Object.keys(faults).length === 0 && (
          <p className="notice notice-bad" role="alert">
            <Icon name="warning" />
            {failureText(failure, t)}
          </p>
        )}
        {mayWrite && (
          <div className="form-end">
            <button type="submit" className="button button-main" disabled={state === 'busy'}>
              {t('action.save')}
            </button>
            <span role="status" className="muted">
              {state === 'saved' && t('action.saved')}
            </span>
          </div>
        )}
      </form>
    </Panel>
  )
}
