import { expect, it } from 'vitest'
import { hostAddress, safeNext, webAddress } from './address'

it('makes addresses of hosts only', () => {
  expect(hostAddress('news.example')).toBe('https://news.example/')
  expect(hostAddress('(none)')).toBeUndefined()
  expect(hostAddress('a/b')).toBeUndefined()
  expect(hostAddress('javascript:alert(1)')).toBeUndefined()
})

it('follows web addresses only', () => {
  expect(webAddress('https://news.example/a')).toBe('https://news.example/a')
  expect(webAddress('javascript:alert(1)')).toBeUndefined()
  expect(webAddress(undefined)).toBeUndefined()
})

it('goes on to this server only', () => {
  expect(safeNext('/sites/news/live?span=24h')).toBe('/sites/news/live?span=24h')
  for (const next of ['//evil.example', '/\\evil.example', 'https://evil.example', '/sign-in?next=/', undefined]) expect(safeNext(next)).toBe('/')
})
