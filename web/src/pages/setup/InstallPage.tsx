import { Link } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { sitePath } from '../../api/client'
import type { FirstView } from '../../api/types'
import { Clip } from '../../components/Clip'
import { Icon } from '../../components/Icon'
import { Panel } from '../../components/Panel'
import { SiteSnippet } from '../../components/SiteSnippet'
import { useFormat, useText } from '../../i18n'
import { type StreamState, follow } from '../../lib/sse'
import { useSite } from '../../state/view'

/** The columns of a stored row that tell people which view it was. */
interface Row {
  time?: string
  url?: string
  title?: string
  item?: string
  referrer?: string
  bot_class?: string
}

/** The snippet, and the page that waits for the first page view. */
export function InstallPage() {
  const t = useText()
  const site = useSite()
  const [first, setFirst] = useState<FirstView | null>(null)
  const [state, setState] = useState<StreamState>('connecting')
  const [again, setAgain] = useState(0)
  useEffect(() => {
    const stop = follow({
      url: sitePath(site.id, 'first-view'),
      onState: setState,
      onRefused: () => setState('stale'),
      onEvent: (event) => {
        if (event.name !== 'result') return
        const view = JSON.parse(event.data) as FirstView
        setFirst(view)
        if (view.seen && !(view.view as Row).bot_class) stop()
      },
    })
    return stop
  }, [site.id, again])
  return (
    <div className="page page-narrow">
      <div className="page-head">
        <h1>{t('install.title')}</h1>
      </div>
      <Panel title={t('install.step', { site: site.domains[0] ?? site.name })}>
        <SiteSnippet site={site.id} />
        <p className="field-hint" style={{ paddingTop: 12 }}>
          {t('install.hint', { domains: site.domains.join(', ') })}
        </p>
      </Panel>
      <div aria-live="polite">
        {first?.seen ? (
          <Arrived row={(first.view ?? {})} zone={site.timezone} site={site.id} />
        ) : (
          <p className="wait">
            <span className="dot" data-state={state} />
            {state === 'stale' ? (
              <>
                {t('failure.network')}
                <button type="button" className="link-button" onClick={() => setAgain(again + 1)}>
                  {t('action.retry')}
                </button>
              </>
            ) : (
              t('install.waiting')
            )}
          </p>
        )}
      </div>
    </div>
  )
}

function Arrived({ row, zone, site }: { row: Row; zone: string; site: string }) {
  const t = useText()
  const f = useFormat()
  const lines: [string, string | undefined][] = [
    [t('install.page'), row.title],
    [t('install.address'), row.url ?? row.item],
    [t('install.referrer'), row.referrer],
    [t('chart.time'), row.time && `${f.dateTime(Date.parse(row.time), zone)} (${zone})`],
  ]
  return (
    <div className="arrived">
      <h2 className="live-head">
        <Icon name="check" />
        {t('install.arrived')}
      </h2>
      <dl>
        {lines.map(
          ([name, value]) =>
            value && (
              <div key={name} style={{ display: 'contents' }}>
                <dt>{name}</dt>
                <dd>
                  <Clip text={value} tail={20} />
                </dd>
              </div>
            ),
        )}
      </dl>
      {row.bot_class && (
        <p className="notice">
          <Icon name="warning" />
          {t('install.robot', { class: row.bot_class })}
        </p>
      )}
      <div className="form-end">
        <Link to="/sites/$site/live" params={{ site }} className="button button-main">
          {t('install.go_live')}
        </Link>
      </div>
    </div>
  )
}
