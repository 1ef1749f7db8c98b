import { afterEach, describe, expect, it, vi } from 'vitest'
import { RequestError, dataOf, failureOf, request, sitePath, statusOf } from './client'

function answer(status: number, body: string, headers: Record<string, string> = {}) {
  const fetch = vi.fn(() => Promise.resolve(new Response(status === 204 ? null : body, { status, headers })))
  vi.stubGlobal('fetch', fetch)
  return fetch
}

afterEach(() => vi.unstubAllGlobals())

describe('request', () => {
  it('gives data', async () => {
    const fetch = answer(200, '{"a":1}', { 'Content-Type': 'application/json' })
    expect(await request('/v1/x', { query: { a: '1', b: ['2', '3'], c: undefined } })).toEqual({ ok: true, data: { a: 1 }, etag: null })
    expect(fetch).toHaveBeenCalledWith('/v1/x?a=1&b=2&b=3', expect.objectContaining({ method: 'GET' }))
  })
  it('gives an empty text where there is no body', async () => {
    answer(204, '')
    expect(await request('/v1/x', { method: 'DELETE' })).toEqual({ ok: true, data: '', etag: null })
  })
  it('writes over what it has read only', async () => {
    const fetch = answer(200, '{}', { 'Content-Type': 'application/json', ETag: '"2"' })
    expect(await request('/v1/x', { method: 'PUT', body: {}, ifMatch: '"1"' })).toMatchObject({ etag: '"2"' })
    expect(fetch).toHaveBeenCalledWith('/v1/x', expect.objectContaining({ headers: expect.objectContaining({ 'If-Match': '"1"' }) as unknown }))
  })
  it('gives problems with their faults', async () => {
    answer(422, '{"title":"T","detail":"D","code":"c","errors":[{"location":"body.id","message":"m"}]}', {
      'Content-Type': 'application/problem+json',
      'Retry-After': '3',
    })
    expect(await request('/v1/x', { method: 'POST', body: {} })).toEqual({
      ok: false,
      failure: { kind: 'problem', status: 422, code: 'c', detail: 'D', faults: [{ location: 'body.id', message: 'm' }], retryAfter: 3 },
    })
  })
  it('names the status of an error page from elsewhere', async () => {
    answer(502, '<h1>Bad gateway</h1>', { 'Content-Type': 'text/html' })
    expect(await request('/v1/x')).toMatchObject({ ok: false, failure: { status: 502, detail: 'HTTP 502' } })
  })
  it('tells no answer from an answer given up', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('failed')))
    expect(await request('/v1/x')).toEqual({ ok: false, failure: { kind: 'network' } })
    vi.stubGlobal('fetch', () => Promise.reject(new DOMException('', 'AbortError')))
    expect(await request('/v1/x')).toEqual({ ok: false, failure: { kind: 'aborted' } })
  })
})

it('turns a failure into an error and back', async () => {
  answer(404, '{"detail":"no"}', { 'Content-Type': 'application/problem+json' })
  const error: unknown = await dataOf(request('/v1/x')).catch((e: unknown) => e)
  expect(error).toBeInstanceOf(RequestError)
  expect(statusOf(error)).toBe(404)
  expect(failureOf(new Error('other'))).toEqual({ kind: 'network' })
})

it('encodes a site as one segment', () => {
  expect(sitePath('a/b', 'query')).toBe('/v1/sites/a%2Fb/query')
  expect(sitePath('news')).toBe('/v1/sites/news')
})
