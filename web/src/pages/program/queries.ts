import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { RequestError, dataOf, request, sitePath } from '../../api/client'
import type { ProgramSchema, ProgramVersion, ProgramVersions, SegmentList, SegmentSize } from '../../api/types'
import { type Files, plain } from './draft'

/** A version with its text. */
export interface Version {
  version: number
  active: boolean
  files: Files
  storedBy: string
  storedAt: number | null
}

/** The active version, and the tag that it is known by when another one is to take its place. */
export interface Active extends Version {
  etag: string | undefined
}

const versionOf = (v: ProgramVersion): Version => ({
  version: v.version,
  active: v.active,
  files: plain(v.files ?? {}),
  storedBy: v.stored_by ?? '',
  storedAt: v.stored_at === undefined ? null : Date.parse(v.stored_at),
})

/** Everything about a site's program lies under this key. */
export const programKey = (site: string) => ['site', site, 'program']

export const activeQuery = (site: string) =>
  queryOptions({
    queryKey: [...programKey(site), 'active'],
    queryFn: async ({ signal }): Promise<Active> => {
      const r = await request<ProgramVersion>(sitePath(site, 'program'), { signal })
      if (!r.ok) throw new RequestError(r.failure)
      return { ...versionOf(r.data), etag: r.etag ?? undefined }
    },
    refetchInterval: 30_000,
  })

export const versionsQuery = (site: string, limit: number) =>
  queryOptions({
    queryKey: [...programKey(site), 'versions', limit],
    queryFn: ({ signal }) => dataOf(request<ProgramVersions>(sitePath(site, 'program/versions'), { query: { limit: String(limit) }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: 15_000,
  })

/** Any version; its text never changes. */
export const versionQuery = (site: string, version: number) =>
  queryOptions({
    queryKey: [...programKey(site), 'version', version],
    queryFn: async ({ signal }) => versionOf(await dataOf(request<ProgramVersion>(sitePath(site, `program/versions/${version}`), { signal }))),
    staleTime: Infinity,
  })

export const schemaQuery = (site: string) =>
  queryOptions({
    queryKey: [...programKey(site), 'schema'],
    queryFn: ({ signal }) => dataOf(request<ProgramSchema>(sitePath(site, 'schema'), { signal })),
    staleTime: 5 * 60_000,
  })

export const segmentsQuery = (site: string) =>
  queryOptions({
    queryKey: [...programKey(site), 'segments'],
    queryFn: ({ signal }) => dataOf(request<SegmentList>(sitePath(site, 'segments'), { signal })),
  })

export const segmentSizeQuery = (site: string, name: string, version: number) =>
  queryOptions({
    queryKey: [...programKey(site), 'segments', version, name],
    queryFn: ({ signal }) => dataOf(request<SegmentSize>(sitePath(site, `segments/${encodeURIComponent(name)}`), { signal })),
    staleTime: 60_000,
  })
