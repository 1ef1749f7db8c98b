import { describe, expect, it } from 'vitest'
import { changedFiles, nameFault, namesOf, plain, renameFile, sameFiles } from './draft'

it('lists main first', () => {
  expect(namesOf({ a: '', main: '', z: '' })).toEqual(['main', 'a', 'z'])
})

it('reads any line end as one', () => {
  expect(plain({ main: 'a\r\nb\rc\n' })).toEqual({ main: 'a\nb\nc\n' })
})

describe('the change from one program to another', () => {
  it('names what was added, removed and changed', () => {
    expect(changedFiles({ main: 'a', old: 'o', same: 's' }, { main: 'b', new: '', same: 's' })).toEqual([
      { name: 'main', kind: 'changed', before: 'a', after: 'b' },
      { name: 'new', kind: 'added', before: '', after: '' },
      { name: 'old', kind: 'removed', before: 'o', after: '' },
    ])
  })
  it('is nothing between equals', () => {
    expect(sameFiles({ main: 'a', b: '' }, { b: '', main: 'a' })).toBe(true)
    expect(sameFiles({ main: 'a' }, { main: 'a', b: '' })).toBe(false)
  })
})

describe('a file', () => {
  it('has a name like any other in the language', () => {
    expect(['shared', 'Shared', '', '1a', 'a b', 'main', 'x'.repeat(65)].map((n) => nameFault(n, { main: '' }))).toEqual([null, 'form', 'form', 'form', 'form', 'taken', 'form'])
  })
  it('is found under its new name', () => {
    expect(renameFile({ main: 'use "shared"\nlet a = "shared"', shared: 'x' }, 'shared', 'common')).toEqual({ main: 'use "common"\nlet a = "shared"', common: 'x' })
  })
})
