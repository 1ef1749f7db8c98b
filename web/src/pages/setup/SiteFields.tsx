import { useMemo } from 'react'
import { Field, SelectField } from '../../components/Field'
import { useText } from '../../i18n'
import { idOf } from './hosts'

export interface SiteDraft {
  id: string
  domains: string
  timezone: string
}

export const browserZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'

export const emptySite = (): SiteDraft => ({ id: '', domains: '', timezone: browserZone() })

interface SiteFieldsProps {
  site: SiteDraft
  faults: Record<string, string>
  onChange: (site: SiteDraft) => void
}

/** The fields of a new site. */
export function SiteFields({ site, faults, onChange }: SiteFieldsProps) {
  const t = useText()
  const zones = useMemo(() => ['UTC', ...Intl.supportedValuesOf('timeZone').filter((z) => z !== 'UTC')], [])
  return (
    <>
      <Field
        label={t('site.domains')}
        hint={t('site.domains_hint')}
        fault={faults['domains']}
        name="domains"
        placeholder="news.example"
        required
        spellCheck={false}
        autoCapitalize="none"
        value={site.domains}
        onChange={(e) => onChange({ ...site, domains: e.target.value, id: site.id === idOf(site.domains) ? idOf(e.target.value) : site.id })}
      />
      <div className="form-row">
        <Field
          label={t('site.id')}
          hint={t('site.id_hint')}
          fault={faults['id']}
          name="site"
          required
          pattern="[a-z0-9\-]{1,63}"
          title={t('site.id_hint')}
          spellCheck={false}
          autoCapitalize="none"
          value={site.id}
          onChange={(e) => onChange({ ...site, id: e.target.value })}
        />
        <SelectField label={t('site.timezone')} hint={t('site.timezone_hint')} fault={faults['timezone']} name="timezone" value={site.timezone} onChange={(e) => onChange({ ...site, timezone: e.target.value })}>
          {zones.map((z) => (
            <option key={z}>{z}</option>
          ))}
        </SelectField>
      </div>
    </>
  )
}
