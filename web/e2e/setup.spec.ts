import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from '@playwright/test'
import { type Server, start } from './server'

let server: Server

/** How many pixels of a chart have the colour of its bars. */
const drawn = (chart: Element): number => {
  const canvas = chart.querySelector('canvas')
  if (!canvas) return 0
  const bar = document.createElement('canvas').getContext('2d', { colorSpace: 'srgb' })
  const lines = canvas.getContext('2d')
  if (!bar || !lines) return 0
  bar.fillStyle = getComputedStyle(chart).getPropertyValue('--chart').trim()
  bar.fillRect(0, 0, 1, 1)
  const [r, g, b] = bar.getImageData(0, 0, 1, 1).data
  const all = lines.getImageData(0, 0, canvas.width, canvas.height).data
  let n = 0
  for (let i = 0; i < all.length; i += 4) if (all[i] === r && all[i + 1] === g && all[i + 2] === b && all[i + 3] === 255) n++
  return n
}

test.beforeAll(async () => {
  server = await start(/setup\?token=/)
})
test.afterAll(() => server.stop())

test('from an empty folder to the first page view', async ({ page, context }) => {
  const link = /(\/setup\?token=\S+)/.exec(server.output())?.[1] ?? ''

  await test.step('a wrong link says so', async () => {
    await page.goto(`${server.url}/setup?token=wrong`)
    await expect(page.getByRole('heading', { name: 'This link no longer works' })).toBeVisible()
  })

  await test.step('faults stand at their fields', async () => {
    await page.goto(server.url + link)
    await page.getByLabel('Your name').fill('Ada Byron')
    await page.getByLabel('E-mail').fill('ada@news.example')
    await page.getByLabel('Password').fill('long enough, and then some')
    await page.getByLabel('Hosts').fill('not a host!')
    await page.getByLabel('Short name').fill('news')
    await page.getByRole('button', { name: 'Create account and site' }).click()
    await expect(page.getByRole('alert').filter({ hasText: 'host name' })).toBeVisible()
  })

  await test.step('a person and a site', async () => {
    await page.getByLabel('Hosts').fill('http://localhost/')
    await page.getByLabel('Time zone').selectOption('America/Sao_Paulo')
    await page.getByRole('button', { name: 'Create account and site' }).click()
    await expect(page.getByRole('heading', { name: 'Put this into your pages' })).toBeVisible()
    await expect(page.getByText('Waiting for the first page view')).toBeVisible()
  })

  await test.step('the page view of a robot says that it is one', async () => {
    const key = /wk_[\w-]+/.exec((await page.getByLabel('Snippet for your pages').textContent()) ?? '')?.[0] ?? ''
    const sent = await context.request.post(`${server.url}/v1/events?key=${key}`, { headers: { 'User-Agent': 'GPTBot/1.2' }, data: { type: 'page_view', url: 'http://localhost/robots' } })
    expect(sent.ok()).toBe(true)
    await expect(page.getByText('It came from a robot')).toBeVisible()
  })

  await test.step('the snippet, in a page of the site, makes the page wait no longer', async () => {
    const snippet = (await page.getByLabel('Snippet for your pages').textContent()) ?? ''
    const publisher = createServer((_, answer) => {
      answer.setHeader('Content-Type', 'text/html').end(`<html><head><title>Ships are late</title>${snippet}</head><body>Story</body></html>`)
    }).listen(0, '127.0.0.1')
    await new Promise((listening) => publisher.once('listening', listening))
    const address = `http://localhost:${(publisher.address() as AddressInfo).port}/harbour/ships-are-late`
    const reader = await context.newPage()
    await reader.goto(address)
    await expect(page.getByRole('heading', { name: 'The first page view is here' })).toBeVisible()
    await expect(page.getByTitle(address)).toBeVisible()
    await expect(page.getByText('It came from a robot')).toBeHidden()
    await expect(page.getByText('(America/Sao_Paulo)')).toBeVisible()
    await reader.close()
    publisher.close()
  })

  await test.step('and it is read on Live', async () => {
    await page.getByRole('link', { name: 'See who is reading now' }).click()
    await expect(page.locator('[data-live=readers]')).toHaveText('1')
    await expect(page.getByRole('table', { name: 'Being read now' })).toContainText('Ships are late')
    await expect.poll(() => page.locator('.chart').evaluate(drawn), { message: 'the bar of now, the only one of the day' }).toBeGreaterThan(50)
  })

  await test.step('the link works once', async () => {
    await page.goto(server.url + link)
    await expect(page.getByRole('heading', { name: 'Set up already' })).toBeVisible()
  })

  await test.step('Live says when its numbers are old', async () => {
    await page.goto(`${server.url}/sites/news/live`)
    await expect(page.locator('[data-live=readers]')).toHaveText('1')
    await server.stop()
    await expect(page.getByText(/No connection\. Numbers of \d\d:\d\d:\d\d/)).toBeVisible()
    await expect(page.locator('[data-live=readers]')).toHaveText('1')
  })
})
