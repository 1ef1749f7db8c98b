import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { latest } from './latest'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

/** An asker whose answers come when the test says. */
function asker() {
  const asked: { input: string; signal: AbortSignal; answer: (text: string) => void }[] = []
  const ask = (input: string, signal: AbortSignal) => new Promise<string>((answer) => asked.push({ input, signal, answer }))
  return { asked, ask }
}

it('asks once what has rested', async () => {
  const { asked, ask } = asker()
  const told: string[] = []
  const l = latest(ask, (answer: string) => told.push(answer), 250)
  for (const text of ['s', 'se', 'seg']) {
    l.put(text)
    vi.advanceTimersByTime(200)
  }
  expect(asked).toHaveLength(0)
  vi.advanceTimersByTime(50)
  expect(asked.map((a) => a.input)).toEqual(['seg'])
  asked[0]?.answer('fine')
  await vi.runAllTimersAsync()
  expect(told).toEqual(['fine'])
})

it('lets the latest answer win, whatever comes first', async () => {
  const { asked, ask } = asker()
  const told: string[] = []
  const l = latest(ask, (answer: string, input: string) => told.push(`${input}: ${answer}`), 250)
  l.put('old')
  vi.advanceTimersByTime(250)
  l.put('new')
  expect(asked[0]?.signal.aborted).toBe(true)
  vi.advanceTimersByTime(250)
  asked[1]?.answer('second')
  await vi.runAllTimersAsync()
  asked[0]?.answer('first')
  await vi.runAllTimersAsync()
  expect(told).toEqual(['new: second'])
})

it('says nothing once it is stopped', async () => {
  const { asked, ask } = asker()
  const told: string[] = []
  const l = latest(ask, (answer: string) => told.push(answer), 250)
  l.put('a')
  vi.advanceTimersByTime(250)
  l.put('b')
  l.stop()
  asked[0]?.answer('late')
  await vi.runAllTimersAsync()
  expect([told, asked.length]).toEqual([[], 1])
})
