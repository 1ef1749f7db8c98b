// What is compared, and how.
import assert from 'node:assert/strict'
import { bodyText, describe } from './recorder.js'

// Columns that follow from the connection and not from what a client says.
const enriched = ['channel', 'country', 'region', 'city', 'device_class', 'browser', 'os', 'language', 'bot_class', 'bot_operator']

/**
 * Compares stored rows with what a client was told to send, every field of
 * every row. Rows are paired by type, then by their order. An expected value may
 * be a function: it is given what is stored. `time` may be left out: then it lies
 * within the last minute.
 */
export function sameRows(stored, expected) {
  const byType = (rows) => rows.toSorted((a, b) => (a.type < b.type ? -1 : a.type > b.type ? 1 : 0))
  expected = byType(expected)
  const seen = byType(stored.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !enriched.includes(name)))))
  assert.equal(seen.length, expected.length, `rows stored: ${JSON.stringify(seen, null, 1)}`)
  seen.forEach((row, i) => {
    const want = { time: recent, ...expected[i] }
    assert.deepEqual(row, resolve(want, row), `row ${i}: ${JSON.stringify(row, null, 1)}`)
  })
}

/** Puts what is stored in the place of every function that accepts it. */
function resolve(want, stored) {
  if (typeof want === 'function') return want(stored) ? stored : `not ${want.name || want} but ${JSON.stringify(stored)}`
  if (want === null || typeof want !== 'object') return want
  return Object.fromEntries(
    Object.entries(want)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, resolve(value, stored?.[name])]),
  )
}

/** A time within the last minute. */
export const recent = (time) => Math.abs(Date.now() - Date.parse(time)) < 60_000
/** Any text that is not empty. */
export const some = (value) => typeof value === 'string' && value !== ''

// The names under which clients send what tells their messages apart.
const ids = /"(?:messageId|eid|uuid)":"([^"]+)"|[?&]eid=([^&]+)/g

/**
 * Checks that no request was refused, that no message was sent twice, and that a
 * client complained of nothing.
 * @param {string[]} [twice] messages that the test sends twice
 */
export function calm(exchanges, complaints = [], twice = []) {
  assert.deepEqual(complaints, [], `the client complained; requests:\n${describe(exchanges)}`)
  const sent = new Set()
  for (const e of exchanges) {
    assert.ok(e.status >= 200 && e.status < 300, `refused: ${describe([e])}`)
    for (const [, posted, asked] of `${e.path} ${bodyText(e)}`.matchAll(ids)) {
      const id = posted ?? asked
      assert.ok(!sent.has(id) || twice.includes(id), `sent twice: ${id}\n${describe([e])}`)
      sent.add(id)
    }
  }
}

/**
 * Sends every request that stored something again: each is recognized as a
 * duplicate, and nothing more is stored.
 */
export async function repeated(server, recorder) {
  const before = await server.events()
  const stored = recorder.exchanges.filter((e) => e.answered['x-readership-verdict'] === 'stored')
  assert.ok(stored.length > 0, `nothing was stored:\n${describe(recorder.exchanges)}`)
  for (const exchange of stored) {
    const second = await recorder.again(exchange)
    assert.equal(second.status, exchange.status, describe([second]))
    assert.equal(second.answered['x-readership-verdict'], 'duplicate', describe([second]))
  }
  assert.deepEqual(await server.events(), before)
}

/** Collects what is written with console.error and console.warn until `end`. */
export function listen() {
  const complaints = []
  const { error, warn } = console
  console.error = (...words) => complaints.push(`error: ${words.join(' ')}`)
  console.warn = (...words) => complaints.push(`warn: ${words.join(' ')}`)
  return { complaints, end: () => Object.assign(console, { error, warn }) }
}
