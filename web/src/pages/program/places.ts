import type { Text } from '@codemirror/state'

/** A place as the server names it: lines and columns from 1, columns in code points, the end excluded. */
export interface Place {
  line: number
  column: number
  end_column: number
}

/** Where a column, in code points from 1, begins in a line of UTF-16; behind its end is its end. */
export function offsetOf(line: string, column: number): number {
  let offset = 0
  for (let n = 1; n < column && offset < line.length; n++) offset += (line.codePointAt(offset) ?? 0) > 0xffff ? 2 : 1
  return offset
}

/**
 * The part of a text that a place names. One of no length gets the character
 * after it, or before it at the end of a line, so that there is something to mark.
 */
export function spanOf(text: Text, place: Place): { from: number; to: number } {
  const line = text.line(Math.min(Math.max(1, place.line), text.lines))
  if (place.line > text.lines) return { from: line.to, to: line.to }
  const start = offsetOf(line.text, place.column)
  const end = offsetOf(line.text, Math.max(place.column, place.end_column))
  if (start < end) return { from: line.from + start, to: line.from + end }
  const points = Array.from(line.text.slice(0, start)).length
  if (start < line.length) return { from: line.from + start, to: line.from + offsetOf(line.text, points + 2) }
  return { from: line.from + offsetOf(line.text, points), to: line.to }
}
