import { describe, expect, it } from 'vitest'
import { addFilter, decodeFilter, encodeFilter, isPicked, toggleValue, toQuery, type Filter } from './filters'

const filters: Filter[] = [{ operator: 'is', column: 'item', values: ['a', 'b'] }]

describe('encoding', () => {
  it.each<Filter>([
    { operator: 'is', column: 'item', values: ['272143'] },
    { operator: 'is_not', column: 'referrer_host', values: ['(none)', 'news.example'] },
    { operator: 'contains', column: 'properties.a b', values: ['a,b\\,c', 'x:y', ''] },
    { operator: 'is', column: 'title', values: ['Über\nuns – “ok”'] },
  ])('goes back and forth: %j', (f) => {
    expect(decodeFilter(encodeFilter(f))).toEqual(f)
  })
  it('refuses what is no filter', () => {
    for (const text of ['', 'is', 'is:item', 'equals:item:a', 'is::a']) expect(decodeFilter(text)).toBeNull()
  })
})

describe('a click on a value', () => {
  it('adds it, beside others of its column', () => {
    expect(toggleValue([], 'item', 'a')).toEqual([{ operator: 'is', column: 'item', values: ['a'] }])
    expect(toggleValue(filters, 'item', 'c')).toEqual([{ operator: 'is', column: 'item', values: ['a', 'b', 'c'] }])
    expect(toggleValue(filters, 'path', '/x')).toHaveLength(2)
  })
  it('takes it out again, and the filter with its last value', () => {
    expect(toggleValue(filters, 'item', 'a')).toEqual([{ operator: 'is', column: 'item', values: ['b'] }])
    expect(toggleValue(toggleValue(filters, 'item', 'a'), 'item', 'b')).toEqual([])
  })
})

it('adds a filter once', () => {
  const f: Filter = { operator: 'contains', column: 'title', values: ['x'] }
  expect(addFilter(addFilter(filters, f), f)).toEqual([...filters, f])
})

it('knows what is picked, and says it to the query', () => {
  expect(isPicked(filters, 'item', 'b')).toBe(true)
  expect(isPicked(filters, 'item', 'c')).toBe(false)
  expect(toQuery(filters)).toEqual([['is', 'item', ['a', 'b']]])
})
