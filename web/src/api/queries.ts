import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { type Filter, toQuery } from '../lib/filters'
import type { Range, Resolution } from '../lib/span'
import { dataOf, request, sitePath, statusOf } from './client'
import type { ItemList, KeyList, Ledger, QuarantineList, QueryAnswer, QueryRequest, Ready, Session, Site, SiteList, Snippet, WriteKeyList } from './types'

/** Who is signed in; null if nobody is. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }) => {
    try {
      return await dataOf(request<Session>('/v1/sessions/current', { signal }))
    } catch (error) {
      if (statusOf(error) === 401) return null
      throw error
    }
  },
  staleTime: 5 * 60_000,
})

export const sitesQuery = queryOptions({
  queryKey: ['sites'],
  queryFn: async ({ signal }) => {
    const sites: Site[] = []
    let cursor: string | undefined
    do {
      const page: SiteList = await dataOf(request<SiteList>('/v1/sites', { query: { limit: '100', cursor }, signal }))
      sites.push(...page.sites)
      cursor = page.cursor
    } while (cursor)
    return sites
  },
  staleTime: 60_000,
})

export const writeKeysQuery = (site: string) =>
  queryOptions({
    queryKey: ['site', site, 'write-keys'],
    queryFn: async ({ signal }) => (await dataOf(request<WriteKeyList>(sitePath(site, 'write-keys'), { signal }))).write_keys,
  })

export const keysQuery = queryOptions({
  queryKey: ['keys'],
  queryFn: async ({ signal }) => (await dataOf(request<KeyList>('/v1/keys', { signal }))).keys,
})

const pair = (range: Range): [string, string] => [new Date(range.from).toISOString(), new Date(range.to).toISOString()]

/** Asks a question about a site's rows. */
export const askQuery = (site: string, question: QueryRequest, refetchMillis: number | false = false) =>
  queryOptions({
    queryKey: ['site', site, 'query', question],
    queryFn: ({ signal }) => dataOf(request<QueryAnswer>(sitePath(site, 'query'), { method: 'POST', body: question, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: refetchMillis,
    staleTime: 15_000,
  })

export interface Scope {
  range: Range
  filters: readonly Filter[]
}

/** Numbers over time with their totals. */
export const seriesQuestion = (scope: Scope, metrics: readonly string[], resolution: Resolution): QueryRequest => ({
  metrics: [...metrics],
  date_range: pair(scope.range),
  dimensions: [`time:${resolution}`],
  filters: toQuery(scope.filters),
  limit: 10_000,
  include: { totals: true, time_labels: true },
})

export const totalsQuestion = (scope: Scope, metrics: readonly string[]): QueryRequest => ({
  metrics: [...metrics],
  date_range: pair(scope.range),
  filters: toQuery(scope.filters),
})

/** The values of a column that lead by a metric. */
export const rankingQuestion = (
  scope: Scope,
  column: string,
  metrics: readonly string[],
  order: { by: string; direction: 'asc' | 'desc' },
  limit: number,
): QueryRequest => ({
  metrics: [...metrics],
  date_range: pair(scope.range),
  dimensions: [column],
  filters: toQuery(scope.filters),
  order_by: [[order.by, order.direction]],
  limit,
  include: { totals: true },
})

export const ledgerQuery = (site: string, range: Range, resolution: Resolution) =>
  queryOptions({
    queryKey: ['site', site, 'ledger', range, resolution],
    queryFn: ({ signal }) => {
      const [from, to] = pair(range)
      return dataOf(request<Ledger>(sitePath(site, 'ledger'), { query: { from, to, resolution }, signal }))
    },
    placeholderData: keepPreviousData,
    refetchInterval: 15_000,
  })

/** The title and address that most page views of some items had. */
export const namesQuestion = (range: Range, items: readonly string[]): QueryRequest => ({
  metrics: ['page_views'],
  date_range: pair(range),
  dimensions: ['item', 'title', 'url'],
  filters: [['is', 'item', [...items]]],
  limit: 1000,
})

export interface Name {
  title: string
  url: string
}

/** Names by item, from an answer to namesQuestion: the first row of an item leads. */
export function namesOf(answer: QueryAnswer | undefined): Map<string, Name> {
  const names = new Map<string, Name>()
  const known = (text: string | undefined) => (text === undefined || text === '(none)' ? '' : text)
  for (const { dimensions } of answer?.results ?? []) {
    const [item = '', title, url] = dimensions
    const name = names.get(item) ?? { title: '', url: '' }
    names.set(item, { title: name.title || known(title), url: name.url || known(url) })
  }
  return names
}

/** Catalogue entries whose title or id holds a text. */
export const itemSearchQuery = (site: string, text: string) =>
  queryOptions({
    queryKey: ['site', site, 'items', text],
    queryFn: async ({ signal }) => (await dataOf(request<ItemList>(sitePath(site, 'items'), { query: { q: text, limit: '6' }, signal }))).items,
    enabled: text !== '',
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  })

export const snippetQuery = (site: string) =>
  queryOptions({
    queryKey: ['site', site, 'snippet'],
    queryFn: ({ signal }) => dataOf(request<Snippet>(sitePath(site, 'snippet'), { signal })),
    retry: false,
  })

export interface Readiness {
  ready: boolean
  reasons: string[]
  warnings: string[]
}

/** Whether the server is caught up and able to commit. */
export const readyQuery = queryOptions({
  queryKey: ['ready'],
  queryFn: async ({ signal }): Promise<Readiness> => {
    const r = await request<Ready>('/readyz', { signal })
    if (r.ok) return { ready: true, reasons: [], warnings: r.data.warnings }
    if (r.failure.kind === 'problem' && r.failure.status === 503) {
      return { ready: false, reasons: r.failure.detail.split('; '), warnings: [] }
    }
    return dataOf(Promise.resolve(r))
  },
  refetchInterval: 15_000,
})

/** The messages of the log that the engine leaves out; null for who may not see them. */
export const quarantineQuery = queryOptions({
  queryKey: ['quarantine'],
  queryFn: async ({ signal }) => {
    try {
      return (await dataOf(request<QuarantineList>('/v1/quarantine', { signal }))).messages
    } catch (error) {
      if (statusOf(error) === 403) return null
      throw error
    }
  },
  refetchInterval: 60_000,
})
