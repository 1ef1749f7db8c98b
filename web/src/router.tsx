import type { QueryClient } from '@tanstack/react-query'
import { Navigate, Outlet, createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router'
import { sessionQuery, sitesQuery } from './api/queries'
import { Failing } from './components/Panel'
import { Shell } from './components/Shell'
import { SignInPage } from './pages/SignInPage'
import { type Search, parseSearch, stringifySearch } from './state/address'

interface Context {
  client: QueryClient
}

const root = createRootRouteWithContext<Context>()({
  component: Outlet,
  validateSearch: (search: Record<string, unknown>): Search => search as Search,
  notFoundComponent: () => <Navigate to="/" />,
  errorComponent: ({ error }) => (
    <div className="page">
      <Failing error={error} retry={() => window.location.reload()} />
    </div>
  ),
})

const index = createRoute({
  getParentRoute: () => root,
  path: '/',
  beforeLoad: async ({ context: { client } }) => {
    if ((await client.query({ ...sessionQuery, staleTime: 'static' })) === null) throw redirect({ to: '/sign-in', replace: true })
    const sites = await client.query({ ...sitesQuery, staleTime: 'static' })
    const first = sites[0]
    if (!first) throw redirect({ to: '/new-site', replace: true })
    throw redirect({ to: '/sites/$site/live', params: { site: first.id }, replace: true })
  },
})

const signIn = createRoute({ getParentRoute: () => root, path: '/sign-in', component: SignInPage })

const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  component: lazyRouteComponent(() => import('./pages/setup/SetupPage'), 'SetupPage'),
})

const newSite = createRoute({
  getParentRoute: () => root,
  path: '/new-site',
  component: lazyRouteComponent(() => import('./pages/setup/NewSitePage'), 'NewSitePage'),
})

const site = createRoute({ getParentRoute: () => root, path: '/sites/$site', component: Shell })

const siteIndex = createRoute({
  getParentRoute: () => site,
  path: '/',
  beforeLoad: ({ params }) => {
    throw redirect({ to: '/sites/$site/live', params, replace: true })
  },
})
const live = createRoute({ getParentRoute: () => site, path: 'live', component: lazyRouteComponent(() => import('./pages/live/LivePage'), 'LivePage') })
const audience = createRoute({
  getParentRoute: () => site,
  path: 'audience',
  component: lazyRouteComponent(() => import('./pages/audience/AudiencePage'), 'AudiencePage'),
})
const program = createRoute({
  getParentRoute: () => site,
  path: 'program',
  component: lazyRouteComponent(() => import('./pages/program/ProgramPage'), 'ProgramPage'),
})
const health = createRoute({ getParentRoute: () => site, path: 'health', component: lazyRouteComponent(() => import('./pages/health/HealthPage'), 'HealthPage') })
const settings = createRoute({
  getParentRoute: () => site,
  path: 'settings',
  component: lazyRouteComponent(() => import('./pages/settings/SettingsPage'), 'SettingsPage'),
})
const install = createRoute({
  getParentRoute: () => site,
  path: 'install',
  component: lazyRouteComponent(() => import('./pages/setup/InstallPage'), 'InstallPage'),
})

const tree = root.addChildren([index, signIn, setup, newSite, site.addChildren([siteIndex, live, audience, program, health, settings, install])])

export const makeRouter = (client: QueryClient) =>
  createRouter({
    routeTree: tree,
    context: { client },
    parseSearch: (text) => parseSearch(text),
    stringifySearch: (search) => stringifySearch(search as Search),
    defaultPreload: 'intent',
    scrollRestoration: true,
  })

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>
  }
}
