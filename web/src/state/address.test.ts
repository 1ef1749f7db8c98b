import { describe, expect, it } from 'vitest'
import { type View, decodeView, defaultView, encodeView, parseSearch, stringifySearch } from './address'

const full: View = {
  span: '2026-11-02..2026-11-08',
  zoom: '2026-11-02T10:00..2026-11-02T12:30',
  resolution: '5min',
  compare: 'off',
  metric: 'visitors',
  filters: [
    { operator: 'is', column: 'item', values: ['a,1', 'b&c=d'] },
    { operator: 'contains', column: 'title', values: ['50 % + x'] },
  ],
}

const through = (view: View) => decodeView(parseSearch(stringifySearch(encodeView(view))))

describe('the address', () => {
  it('keeps every part of a view', () => {
    expect(through(full)).toEqual(full)
    expect(through({ ...full, filters: full.filters.slice(0, 1) })).toEqual({ ...full, filters: full.filters.slice(0, 1) })
  })
  it('is empty for the default', () => {
    expect(stringifySearch(encodeView(defaultView))).toBe('')
    expect(decodeView({})).toEqual(defaultView)
  })
  it('can be read by people', () => {
    expect(stringifySearch(encodeView({ ...defaultView, span: '24h', filters: [{ operator: 'is', column: 'path', values: ['/a/b'] }] }))).toBe(
      '?span=24h&f=is:path:/a/b',
    )
  })
  it('survives what cannot be read', () => {
    expect(decodeView({ span: 'ever', zoom: 'x', res: 'minute', compare: 'mars', metric: '<b>', f: ['bad', 'is:item:a'] })).toEqual({
      ...defaultView,
      filters: [{ operator: 'is', column: 'item', values: ['a'] }],
    })
  })
})
