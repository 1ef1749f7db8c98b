import type { Page } from '@playwright/test'
import { expect, freeze, test } from './newsroom'

type Readership = Window & { readership: (...args: unknown[]) => void }

const say = (page: Page, ...args: unknown[]) => page.evaluate((args) => (window as unknown as Readership).readership(...args), args)

const kept = async (page: Page) => ({ cookies: (await page.context().cookies()).map(({ name }) => name), store: await page.evaluate(() => Object.keys(localStorage)) })

test('before a word and after a no, nothing is kept and nobody is named', async ({ newsroom, page }) => {
  newsroom.page('/no/one', {})
  newsroom.page('/no/two', {})
  await page.goto(`${newsroom.origin}/no/one`)
  await expect.poll(async () => (await newsroom.rows('no')).length).toBe(1)
  expect(await kept(page)).toEqual({ cookies: [], store: [] })
  await say(page, 'consent', false)
  await say(page, 'identify', 'a7', { plan: 'plus' })
  await say(page, 'event', 'poll', { answer: 'yes' })
  await page.goto(`${newsroom.origin}/no/two`)
  await expect.poll(async () => (await newsroom.rows('no')).length).toBe(4)
  const rows = await newsroom.rows('no')
  for (const row of rows) {
    expect(row.device).toMatch(/^~/) // the hash of a day
    expect(row).not.toHaveProperty('account')
    expect(row).not.toHaveProperty('properties')
  }
  expect(await kept(page)).toEqual({ cookies: [], store: [] })
})

test('with a yes the server names the device, from the first answer on', async ({ newsroom, page }) => {
  newsroom.page('/yes/one', { head: '<script>window.readership = function () { (readership.q = readership.q || []).push(arguments) }; readership("consent", { analytics: true, personalization: false })</script>' })
  newsroom.page('/yes/two', {})
  await page.goto(`${newsroom.origin}/yes/one`)
  for (const answer of ['yes', 'no', 'maybe']) await say(page, 'event', 'poll', { answer })
  await page.goto(`${newsroom.origin}/yes/two`) // says nothing: its cookie does
  await expect.poll(async () => (await newsroom.rows('yes')).length).toBe(5)
  const devices = new Set((await newsroom.rows('yes')).map(({ device }) => device))
  expect(devices.size).toBe(1)
  expect([...devices][0]).not.toMatch(/^~/)
  expect((await kept(page)).cookies).toEqual(['rsid'])
})

test('a yes that comes late keeps the reading time with its page view', async ({ newsroom, page }) => {
  newsroom.page('/late/one', { body: '<p style="height:2000px">Story</p>' })
  await freeze(page)
  await page.goto(`${newsroom.origin}/late/one`)
  await expect.poll(async () => (await newsroom.rows('late')).length).toBe(1)
  await say(page, 'consent', true)
  await say(page, 'event', 'poll', { answer: 'yes' })
  await expect.poll(async () => (await newsroom.rows('late')).length).toBe(2)
  await page.clock.runFor(600)
  await page.goto('about:blank')
  await expect.poll(async () => (await newsroom.rows('late'))[0]?.engaged_seconds ?? 0).toBeGreaterThan(0.5)
  expect((await newsroom.rows('late'))[0]?.device).toMatch(/^~/)
})

test('data-consent="wait" sends nothing before a word', async ({ newsroom, page }) => {
  newsroom.page('/wait/one', { tag: newsroom.tag('data-consent="wait"') })
  await freeze(page)
  const sent: string[] = []
  page.on('request', (request) => request.url().includes('/v1/events') && sent.push(request.url()))
  await page.goto(`${newsroom.origin}/wait/one`)
  await say(page, 'event', 'poll', { answer: 'no' })
  await page.clock.runFor(5000)
  await page.goto(`${newsroom.origin}/wait/one`)
  expect(sent).toEqual([])
  await say(page, 'event', 'poll', { answer: 'yes' })
  await say(page, 'consent', true)
  await expect.poll(async () => (await newsroom.rows('wait')).map(({ type }) => type)).toEqual(['page_view', 'poll'])
  expect(new Set((await newsroom.rows('wait')).map(({ device }) => device)).size).toBe(1)
})

test('a server on another site names no cookie, so the tracker names the device', async ({ newsroom, page }) => {
  const tag = newsroom.tag().replace(newsroom.collect, newsroom.collect.replace('collect.news.example', 'else.example'))
  newsroom.page('/else/one', { tag })
  newsroom.page('/else/two', { tag })
  await page.goto(`${newsroom.origin}/else/one`)
  await expect.poll(async () => (await newsroom.rows('else')).length).toBe(1)
  expect((await newsroom.rows('else'))[0]?.device).toMatch(/^~/)
  await say(page, 'consent', true)
  await say(page, 'event', 'poll')
  await page.goto(`${newsroom.origin}/else/two`)
  await say(page, 'consent', true)
  await say(page, 'event', 'poll')
  await page.goto('about:blank')
  await expect.poll(async () => (await newsroom.rows('else')).length).toBe(4)
  const polls = (await newsroom.rows('else')).filter(({ type }) => type === 'poll')
  expect(polls[0]?.device).toBe(polls[1]?.device)
  expect((await page.context().cookies()).length).toBe(0)

  await page.goto(`${newsroom.origin}/else/two`)
  expect((await kept(page)).store).toContain('rsDevice')
  await say(page, 'consent', false)
  expect((await kept(page)).store).toEqual([])
})
