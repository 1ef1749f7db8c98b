import { Text } from '@codemirror/state'
import { describe, expect, it } from 'vitest'
import { offsetOf, spanOf } from './places'

describe('a column in code points', () => {
  it('is an offset in UTF-16', () => {
    expect([1, 2, 5].map((c) => offsetOf('plain', c))).toEqual([0, 1, 4])
    expect([1, 2, 3, 4].map((c) => offsetOf('ü📰x', c))).toEqual([0, 1, 3, 4])
  })
  it('is never behind the line', () => {
    expect(offsetOf('ab', 9)).toBe(2)
    expect(offsetOf('', 1)).toBe(0)
  })
  it('agrees with counting code points one by one', () => {
    const line = 'a📰b👩‍💻"ß" \u{1F600}.'
    const points = Array.from(line)
    for (let column = 1; column <= points.length + 1; column++) {
      expect(offsetOf(line, column)).toBe(points.slice(0, column - 1).join('').length)
    }
  })
})

describe('a place of a text', () => {
  const text = Text.of(['-- 📰', 'let a = "📰" + b', ''])
  const marked = (line: number, column: number, end_column: number) => {
    const { from, to } = spanOf(text, { line, column, end_column })
    return text.sliceString(from, to)
  }
  it('is what the server means', () => {
    expect(marked(2, 9, 12)).toBe('"📰"')
    expect(marked(2, 15, 16)).toBe('b')
  })
  it('has something to mark, also if it has no length', () => {
    expect(marked(2, 10, 10)).toBe('📰')
    expect(marked(2, 16, 16)).toBe('b')
    expect(marked(1, 5, 5)).toBe('📰')
  })
  it('is the end where there is nothing to mark', () => {
    expect(spanOf(text, { line: 3, column: 1, end_column: 1 })).toEqual({ from: text.length, to: text.length })
    expect(spanOf(text, { line: 9, column: 4, end_column: 8 })).toEqual({ from: text.length, to: text.length })
  })
})
