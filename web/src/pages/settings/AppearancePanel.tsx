import { Choice } from '../../components/Choice'
import { Panel } from '../../components/Panel'
import { useText } from '../../i18n'
import { setPreferences, usePreferences } from '../../state/preferences'

/** How the dashboard looks and speaks on this device. */
export function AppearancePanel() {
  const t = useText()
  const { theme, language, density } = usePreferences()
  return (
    <Panel title={t('settings.appearance')} foot={<span>{t('settings.appearance_about')}</span>}>
      <div className="settings-rows">
        <span className="label">{t('settings.theme')}</span>
        <Choice
          label={t('settings.theme')}
          value={theme}
          onChange={(v) => setPreferences({ theme: v })}
          options={[
            { value: 'system', name: t('settings.theme_system') },
            { value: 'light', name: t('settings.theme_light') },
            { value: 'dark', name: t('settings.theme_dark') },
          ]}
        />
        <span className="label">{t('settings.language')}</span>
        <Choice
          label={t('settings.language')}
          value={language}
          onChange={(v) => setPreferences({ language: v })}
          options={[
            { value: 'en', name: <span lang="en">English</span> },
            { value: 'de', name: <span lang="de">Deutsch</span> },
          ]}
        />
        <span className="label">{t('settings.density')}</span>
        <Choice
          label={t('settings.density')}
          value={density}
          onChange={(v) => setPreferences({ density: v })}
          options={[
            { value: 'comfortable', name: t('settings.comfortable') },
            { value: 'compact', name: t('settings.compact') },
          ]}
        />
      </div>
    </Panel>
  )
}
