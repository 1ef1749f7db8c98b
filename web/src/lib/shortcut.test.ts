import { expect, it } from 'vitest'
import { shortcutReader } from './shortcut'

it('reads keys alone and after g', () => {
  const read = shortcutReader()
  expect(read('/', 0)).toBe('search')
  expect(read('?', 1)).toBe('help')
  expect(read('l', 2)).toBeNull()
  expect([read('g', 10), read('l', 500)]).toEqual([null, 'live'])
  expect([read('g', 1000), read('a', 2500)]).toEqual([null, null])
  expect([read('g', 3000), read('x', 3001), read('a', 3002)]).toEqual([null, null, null])
  expect([read('g', 4000), read('/', 4001)]).toEqual([null, 'search'])
})
