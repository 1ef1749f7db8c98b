/** The one way to the server: typed, abortable, with failures as values. */
import type { Problem } from './types'

export type Fault = NonNullable<Problem['errors']>[number]

/** What can come instead of data. */
export type Failure =
  | { kind: 'problem'; status: number; code: string; detail: string; faults: Fault[]; retryAfter: number | null }
  | { kind: 'network' } // no answer, or none that can be read
  | { kind: 'aborted' }

/** etag is the version of what was read or written, where it has one. */
export type Result<T> = { ok: true; data: T; etag: string | null } | { ok: false; failure: Failure }

interface RequestOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  query?: Record<string, string | string[] | undefined>
  body?: unknown
  signal?: AbortSignal | undefined
  accept?: string
  /** The ETag that what is written over must still have. */
  ifMatch?: string | undefined
}

/** Asks the server. Answers of 204, and of other types than JSON, come as their text. */
export async function request<T>(path: string, options: RequestOptions = {}): Promise<Result<T>> {
  const { method = 'GET', query = {}, body, signal, accept = 'application/json', ifMatch } = options
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const v of [value ?? []].flat()) params.append(name, v)
  }
  const headers: Record<string, string> = { Accept: accept }
  if (body !== undefined) {
    headers['Content-Type'] = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  }
  if (ifMatch !== undefined) headers['If-Match'] = ifMatch
  try {
    const response = await fetch(params.size > 0 ? `${path}?${params.toString()}` : path, {
      method,
      headers,
      credentials: 'same-origin',
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ?? null,
    })
    const text = await response.text()
    const json = (response.headers.get('Content-Type') ?? '').includes('json') && text !== ''
    if (response.ok) return { ok: true, data: (json && accept === 'application/json' ? JSON.parse(text) : text) as T, etag: response.headers.get('ETag') }
    return { ok: false, failure: problem(response, json ? JSON.parse(text) : {}) }
  } catch (error) {
    const aborted = error instanceof DOMException && error.name === 'AbortError'
    return { ok: false, failure: { kind: aborted ? 'aborted' : 'network' } }
  }
}

function problem(response: Response, body: unknown): Failure {
  const { title = '', detail = '', code = '', errors = [] } = (body ?? {}) as Partial<Problem>
  const seconds = Number(response.headers.get('Retry-After') ?? NaN)
  return {
    kind: 'problem',
    status: response.status,
    code,
    detail: detail || title || `HTTP ${response.status}`,
    faults: errors,
    retryAfter: Number.isFinite(seconds) ? seconds : null,
  }
}

/** A failure as an exception, for the query cache. */
export class RequestError extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.kind === 'problem' ? failure.detail : failure.kind)
    this.failure = failure
  }
}

/** The data of a result; throws RequestError where there is none. */
export async function dataOf<T>(result: Promise<Result<T>>): Promise<T> {
  const r = await result
  if (!r.ok) throw new RequestError(r.failure)
  return r.data
}

/** The failure behind an error of the query cache. */
export function failureOf(error: unknown): Failure {
  return error instanceof RequestError ? error.failure : { kind: 'network' }
}

export const statusOf = (error: unknown): number | null => {
  const failure = failureOf(error)
  return failure.kind === 'problem' ? failure.status : null
}

/** The path of something of a site. */
export const sitePath = (site: string, rest = ''): string => `/v1/sites/${encodeURIComponent(site)}${rest && `/${rest}`}`
