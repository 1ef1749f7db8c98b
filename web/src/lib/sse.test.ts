import { describe, expect, it } from 'vitest'
import { type ServerEvent, eventParser } from './sse'

function read(...pieces: string[]): ServerEvent[] {
  const events: ServerEvent[] = []
  const parse = eventParser((event) => events.push(event))
  pieces.forEach(parse)
  return events
}

const text = 'id: 7\nevent: result\ndata: {"a":1}\n\n:\n\ndata: x\ndata: y\n\n'
const events = [
  { id: '7', name: 'result', data: '{"a":1}' },
  { id: '7', name: 'message', data: 'x\ny' },
]

describe('eventParser', () => {
  it('reads events and leaves comments out', () => {
    expect(read(text)).toEqual(events)
  })
  it('does not care where pieces end', () => {
    expect(read(...text.split(''))).toEqual(events)
    const crlf = text.replaceAll('\n', '\r\n')
    expect(read(crlf)).toEqual(events)
    expect(read(...crlf.split(''))).toEqual(events)
  })
  it('waits for the blank line', () => {
    expect(read('data: x\n')).toEqual([])
  })
})
