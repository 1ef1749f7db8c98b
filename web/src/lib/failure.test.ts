import { describe, expect, it } from 'vitest'
import type { Failure } from '../api/client'
import { failureText, faultsByField } from './failure'

const t = (key: string) => key
const problem = (status: number, faults: { location?: string; message: string }[] = []): Failure => ({
  kind: 'problem',
  status,
  code: '',
  detail: 'detail',
  faults,
  retryAfter: null,
})

describe('failures', () => {
  it('are told by what they mean', () => {
    expect(failureText({ kind: 'network' }, t)).toBe('failure.network')
    expect(failureText(problem(403), t)).toBe('failure.forbidden')
    expect(failureText(problem(503), t)).toBe('failure.busy (detail)')
    expect(failureText(problem(422), t)).toBe('detail')
  })
  it('belong to fields, the first of each', () => {
    const failure = problem(422, [
      { location: 'body.site.domains[1]', message: 'a' },
      { location: 'body.site.domains[2]', message: 'b' },
      { location: 'body.email', message: 'c' },
    ])
    expect(faultsByField(failure)).toEqual({ 'site.domains': 'a', email: 'c' })
    expect(faultsByField(null)).toEqual({})
  })
})
