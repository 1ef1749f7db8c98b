// Plausible's two packages and a page tagged for its script, in Chromium. They
// know no id, so what they send twice counts twice; they never do.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { browse } from '../harness/browser.js'
import { calm, sameRows } from '../harness/compare.js'
import { record } from '../harness/recorder.js'
import { start } from '../harness/server.js'

/** Opens a page that runs a client and returns what it did; leaves it if events are named that are there then. */
async function run(t, name, settings, left) {
  const server = await start(settings)
  t.after(server.stop)
  const recorder = await record(server.url)
  t.after(recorder.close)
  const browser = await browse(name, recorder, server.key)
  t.after(browser.close)
  await browser.visit('/sport/final?utm_source=letter', 'https://www.search.example/')
  let complaints = browser.complaints
  if (left) {
    await browser.page.mouse.wheel(0, 1000)
    await browser.page.waitForFunction(() => window.scrollY > 900)
    complaints = [...browser.complaints] // then the browser calls off what nobody reads any more
    await browser.page.goto('about:blank')
    await recorder.until((seen) => left.every((name) => seen.some((e) => e.body.includes(`"n":"${name}"`))), `${left}`)
  }
  calm(recorder.exchanges, complaints)
  const events = recorder.exchanges.filter((e) => e.path === '/api/event')
  for (const e of events) {
    assert.equal(e.status, 202)
    // What our own script is not sure of when the page is left it sends again, with its id.
    const sure = !name.endsWith('script') || !left
    assert.ok(['stored', ...(sure ? [] : ['duplicate'])].includes(e.answered['x-readership-verdict']), e.answered['x-readership-verdict'])
  }
  const page = {
    url: `${browser.origin}/sport/final?utm_source=letter`,
    host: 'news.example',
    path: '/sport/final',
    item: 'news.example/sport/final',
    utm_source: 'letter',
    referrer: 'https://www.search.example/',
    referrer_host: 'www.search.example',
  }
  return { server, events, page, answers: left ? [] : await browser.page.evaluate(() => window.harness.answers) }
}

// Requests of one moment arrive in any order.
const byType = (rows) => rows.sort((a, b) => (a.type < b.type ? -1 : 1))
const nameless = (device) => /^~[\w-]{22}$/.test(device)
const read = { engaged_seconds: (s) => s > 0 && s < 60, scroll_percent: (share) => share > 30 && share <= 100 }

test('@plausible-analytics/tracker', async (t) => {
  const { server, page, answers } = await run(t, 'plausible', {})
  assert.deepEqual(answers, [{ status: 202 }, { status: 202 }])
  // Without consent a reader's own events keep no properties.
  sameRows(byType(await server.events()), [
    { ...page, device: nameless, type: 'Article Shared' },
    { ...page, device: nameless, type: 'Purchase', value: 15.99, currency: 'USD' },
    { ...page, device: nameless, type: 'page_view', properties: { desk: 'sport' } },
  ])
})

test('@plausible-analytics/tracker where consent is assumed, until the page is left', async (t) => {
  const { server, page } = await run(t, 'plausible', { privacy: { without_consent: 'assume' } }, ['engagement'])
  sameRows(byType(await server.events()), [
    { ...page, device: nameless, type: 'Article Shared', properties: { desk: 'sport', network: 'mail', count: 2, first: true } },
    { ...page, device: nameless, type: 'Purchase', value: 15.99, currency: 'USD', properties: { desk: 'sport', interactive: false } },
    { ...page, device: nameless, type: 'page_view', properties: { desk: 'sport' }, ...read },
  ])
})

test('plausible-tracker', async (t) => {
  const { server, page } = await run(t, 'plausible-tracker', {})
  sameRows(await server.events(), [
    { ...page, device: nameless, type: 'page_view' },
    { ...page, device: nameless, type: 'Article Shared' },
  ])
})

test('a page tagged for the script, until it is left', async (t) => {
  const { server, page } = await run(t, 'plausible-script', {}, ['Early', 'Late', 'pageview', 'engagement'])
  sameRows(byType(await server.events()), [
    { ...page, device: nameless, type: 'Early' },
    { ...page, device: nameless, type: 'Late' },
    { ...page, device: nameless, type: 'page_view', ...read },
  ])
})
