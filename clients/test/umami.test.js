// Umami's script in Chromium and @umami/node. They know no id, so what they send
// twice counts twice; they never do.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Umami } from '@umami/node'
import { browse, titleOf } from '../harness/browser.js'
import { calm, sameRows } from '../harness/compare.js'
import { record } from '../harness/recorder.js'
import { start } from '../harness/server.js'

const website = '0f1a2b3c-1111-4222-8333-444455556666'
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Starts the program with a site that Umami's clients know. */
async function serve(t, settings) {
  const server = await start({ aliases: [website], ...settings })
  t.after(server.stop)
  const recorder = await record(server.url)
  t.after(recorder.close)
  return { server, recorder }
}

const nameless = (device) => /^~[\w-]{22}$/.test(device)

test('the script', async (t) => {
  const { server, recorder } = await serve(t)
  const browser = await browse('umami', recorder, server.key)
  t.after(browser.close)
  await browser.visit('/sport/final?utm_source=letter', 'https://www.search.example/')
  calm(recorder.exchanges, browser.complaints)
  const sent = recorder.exchanges.filter((e) => e.method === 'POST')
  const answers = sent.map((e) => JSON.parse(e.answer))
  for (const { sessionId, visitId, cache } of answers) {
    assert.match(sessionId, uuid)
    assert.ok(visitId === answers[0].visitId && sessionId === answers[0].sessionId && cache, 'one visit')
  }
  assert.deepEqual(
    sent.map((e) => e.headers['x-umami-cache'] !== undefined),
    [false, true, true],
    'the script sends back what it was answered',
  )
  const common = {
    device: nameless,
    url: `https://news.example/sport/final?utm_source=letter`,
    host: 'news.example',
    path: '/sport/final',
    item: 'news.example/sport/final',
    title: titleOf('/sport/final'),
    utm_source: 'letter',
    referrer: 'https://www.search.example/',
    referrer_host: 'www.search.example',
  }
  // Without consent there are no properties of readers.
  const rows = await server.events()
  sameRows(rows, [
    { ...common, type: 'page_view' },
    { ...common, type: 'Article Shared' },
    { ...common, type: 'identify' },
  ])
  assert.equal(new Set(rows.map((row) => row.device)).size, 1)
})

test('@umami/node', async (t) => {
  const { server, recorder } = await serve(t)
  const umami = new Umami({ websiteId: website, hostUrl: recorder.url })
  const page = { hostname: 'news.example', url: '/sport/final', title: 'The final', referrer: 'https://www.search.example/' }
  const answers = []
  for (const send of [
    () => umami.track(page),
    () => umami.track({ ...page, id: 'reader-7', name: 'Article Shared', data: { network: 'mail', count: 2 } }),
    () => umami.send({ website, id: 'reader-7', data: { plan: 'gold' } }, 'identify'),
    () => umami.track('Nameless', { network: 'mail' }),
    () => umami.identify({ plan: 'gold' }),
  ]) {
    const answer = await send()
    assert.equal(answer.status, 200)
    answers.push(await answer.json())
  }
  calm(recorder.exchanges)
  assert.ok(answers.every((a) => uuid.test(a.sessionId) && uuid.test(a.visitId) && a.cache && !a.disabled && !a.beep), JSON.stringify(answers))
  const where = { host: 'news.example', path: '/sport/final', item: 'news.example/sport/final', url: 'https://news.example/sport/final' }
  const from = { referrer: 'https://www.search.example/', referrer_host: 'www.search.example', title: 'The final' }
  const reader = { device: 'account:reader-7', account: 'reader-7' }
  sameRows(await server.events(), [
    { ...where, ...from, type: 'page_view', device: nameless },
    { ...where, ...from, ...reader, type: 'Article Shared', properties: { network: 'mail', count: 2 } },
    { ...reader, type: 'identify', properties: { 'traits.plan': 'gold' } },
    { type: 'Nameless', device: nameless },
    { type: 'identify', device: nameless },
  ])
})

test('an unknown site, and a robot', async (t) => {
  const { server, recorder } = await serve(t)
  const unknown = await new Umami({ websiteId: website.replace('0f', '00'), hostUrl: recorder.url }).track({ url: '/' })
  assert.equal(unknown.status, 400)
  const robot = new Umami({ websiteId: website, hostUrl: recorder.url, userAgent: 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)' })
  assert.deepEqual(await (await robot.track({ hostname: 'news.example', url: '/' })).json(), { beep: 'boop' })
  const rows = await server.events()
  assert.equal(rows.length, 1)
  assert.ok(rows[0].bot_class)
})
