import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useNavigate } from '@tanstack/react-router'
import { DropdownMenu } from 'radix-ui'
import { useCallback, useEffect, useRef, useState } from 'react'
import { request } from '../api/client'
import { sessionQuery, sitesQuery } from '../api/queries'
import { useText } from '../i18n'
import { useShortcuts } from '../state/shortcuts'
import { useSiteId } from '../state/view'
import { Icon } from './Icon'
import { Failing } from './Panel'
import { Shortcuts } from './Shortcuts'

const pages = [
  { to: '/sites/$site/live', icon: 'live', name: 'nav.live' },
  { to: '/sites/$site/audience', icon: 'audience', name: 'nav.audience' },
  { to: '/sites/$site/program', icon: 'program', name: 'nav.program' },
  { to: '/sites/$site/health', icon: 'health', name: 'nav.health' },
  { to: '/sites/$site/settings', icon: 'settings', name: 'nav.settings' },
] as const

/** What stands around every page: sites, pages, the person. */
export function Shell() {
  const t = useText()
  const site = useSiteId()
  const navigate = useNavigate()
  const client = useQueryClient()
  const session = useQuery(sessionQuery)
  const sites = useQuery(sitesQuery)
  const main = useRef<HTMLElement>(null)
  const [help, setHelp] = useState(false)

  useShortcuts(
    useCallback(
      (what) => {
        if (what === 'help') setHelp(true)
        else if (what === 'search') window.dispatchEvent(new Event('readership:search'))
        else void navigate({ to: `/sites/$site/${what}`, params: { site }, search: true })
      },
      [navigate, site],
    ),
  )

  const signedOut = session.data === null
  useEffect(() => {
    if (signedOut) void navigate({ to: '/sign-in', search: { next: window.location.pathname + window.location.search }, replace: true })
  }, [signedOut, navigate])

  const known = sites.data?.find((s) => s.id === site)
  useEffect(() => {
    document.title = known ? `${known.name} – Readership` : 'Readership'
  }, [known])

  if (signedOut) return null
  return (
    <div className="shell">
      <a className="skip" href="#main" onClick={() => main.current?.focus()}>
        {t('nav.skip')}
      </a>
      <header className="nav">
        <div className="nav-sites">
          <SiteSwitch />
        </div>
        <nav className="nav-links" aria-label={t('nav.label')}>
          {pages.map((page) => (
            <Link key={page.to} to={page.to} params={{ site }} search={true} className="nav-link" activeOptions={{ includeSearch: false }}>
              <Icon name={page.icon} size={18} />
              {t(page.name)}
            </Link>
          ))}
        </nav>
        <div className="nav-end">
          <button type="button" className="nav-link only-wide" onClick={() => setHelp(true)}>
            <Icon name="keys" size={18} />
            {t('nav.shortcuts')}
          </button>
          <PersonMenu
            name={session.data?.name || (session.data?.email ?? '')}
            email={session.data?.email ?? ''}
            onSignOut={() => {
              void request('/v1/sessions/current', { method: 'DELETE' }).then(() => {
                client.clear()
                void navigate({ to: '/sign-in' })
              })
            }}
          />
        </div>
      </header>
      <main className="main" id="main" ref={main} tabIndex={-1}>
        {sites.isError && !sites.data ? (
          <div className="page">
            <Failing error={sites.error} retry={() => void sites.refetch()} />
          </div>
        ) : sites.data && !known ? (
          <div className="page">
            <div className="state">
              <h1>{t('site.unknown', { site })}</h1>
              <p>{t('site.unknown_about')}</p>
            </div>
          </div>
        ) : known ? (
          <Outlet />
        ) : null}
      </main>
      <Shortcuts open={help} onClose={() => setHelp(false)} />
    </div>
  )
}

function SiteSwitch() {
  const t = useText()
  const site = useSiteId()
  const { data: sites = [] } = useQuery(sitesQuery)
  const { data: session } = useQuery(sessionQuery)
  const now = sites.find((s) => s.id === site)
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger className="site-switch" aria-label={t('nav.sites')}>
        <span className="site-mark" aria-hidden="true">
          {Array.from(now?.name ?? site)[0]?.toUpperCase()}
        </span>
        <span className="site-name">
          <b>{now?.name ?? site}</b>
          <span className="small muted">{now?.domains[0] ?? ' '}</span>
        </span>
        <Icon name="down" size={12} />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="pop menu" align="start" sideOffset={6} collisionPadding={12}>
          {sites.map((s) => (
            <DropdownMenu.Item key={s.id} asChild>
              <Link to="." params={{ site: s.id }} search={{}} className="menu-item">
                {s.name}
                <span className="end">{s.id === site && <Icon name="check" />}</span>
              </Link>
            </DropdownMenu.Item>
          ))}
          {session?.scopes.includes('sites:write') && (
            <>
              <div className="menu-line" />
              <DropdownMenu.Item asChild>
                <Link to="/new-site" className="menu-item">
                  <Icon name="plus" />
                  {t('site.new')}
                </Link>
              </DropdownMenu.Item>
            </>
          )}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}

function PersonMenu({ name, email, onSignOut }: { name: string; email: string; onSignOut: () => void }) {
  const t = useText()
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger className="nav-link person" aria-label={t('nav.person', { name })}>
        <Icon name="person" size={18} />
        <span className="only-wide clip-end">{name}</span>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="pop menu" align="end" side="top" sideOffset={6} collisionPadding={12}>
          <div className="menu-label">{email}</div>
          <DropdownMenu.Item className="menu-item" onSelect={onSignOut}>
            {t('nav.sign_out')}
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}
