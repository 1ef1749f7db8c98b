import type { Page } from '@playwright/test'
import { expect, test } from './server'

interface Answer {
  results: { dimensions: string[]; metrics: (number | null)[] }[]
  totals?: (number | null)[]
}

/** The answer to the question about time at a resolution that what is done makes. */
async function seriesOf(page: Page, resolution: string, what: () => Promise<unknown>): Promise<Answer> {
  const asked = page.waitForResponse((r) => r.url().endsWith('/query') && (r.request().postData() ?? '').includes(`"time:${resolution}"`))
  await what()
  return (await (await asked).json()) as Answer
}

const figures = (page: Page) => page.locator('.figure-value').allTextContents()
const sum = (answer: Answer) => answer.results.reduce((n, row) => n + (row.metrics[0] ?? 0), 0)

test('the resolution changes, the span and the totals stay', async ({ signedIn: page, demo }) => {
  const day = await seriesOf(page, 'day', () => page.goto(`${demo.url}/sites/demo/audience?span=yesterday&res=day&compare=off`))
  await expect(page.locator('[data-metric=page_views] .figure-value')).toHaveText(/\d/)
  const before = await figures(page)
  const hour = await seriesOf(page, 'hour', () => page.getByRole('radio', { name: 'Hour' }).click())
  await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
  expect(await figures(page)).toEqual(before)
  const five = await seriesOf(page, '5min', () => page.getByRole('radio', { name: '5 min' }).click())
  await expect(page.locator('[aria-busy=true]')).toHaveCount(0)
  expect(await figures(page)).toEqual(before)

  expect([day.results.length, hour.results.length]).toEqual([1, 24])
  expect(five.results.length).toBeGreaterThan(200)
  expect(sum(day)).toBeGreaterThan(1000)
  expect([sum(hour), sum(five)]).toEqual([sum(day), sum(day)])
  expect([hour.totals, five.totals]).toEqual([day.totals, day.totals])
  expect(new URL(page.url()).searchParams.get('span')).toBe('yesterday')
  await expect(page.getByRole('button', { name: 'Choose the time span' })).toHaveText('Yesterday')
})

test('spans are chosen from presets and the calendar', async ({ signedIn: page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/audience`)
  await page.getByRole('button', { name: 'Choose the time span' }).click()
  await page.getByRole('button', { name: 'Last 24 hours' }).click()
  await expect(page).toHaveURL(/span=24h/)
  await expect(page.getByRole('radio', { name: '5 min' })).toHaveAttribute('aria-checked', 'true')

  await page.getByRole('button', { name: 'Choose the time span' }).click()
  const days = page.getByRole('grid', { name: 'Days' }).getByRole('button', { disabled: false })
  if ((await days.count()) < 2) await page.getByRole('button', { name: 'Previous month' }).click() // on the first of a month
  await days.nth(0).click()
  await days.nth(1).click()
  await expect(page).toHaveURL(/span=\d{4}-\d\d-\d\d\.\.\d{4}-\d\d-\d\d/)
  await page.goBack()
  await expect(page).toHaveURL(/span=24h/)
})

test('the period before is compared with, and can be left out', async ({ signedIn: page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/audience?span=yesterday`)
  await expect(page.locator('[data-metric=page_views] .change')).toHaveText(/%/)
  await expect(page.locator('.legend')).toContainText(/Page views/)
  await page.getByRole('button', { name: 'Choose what to compare with' }).click()
  await page.getByRole('menuitemradio', { name: 'No comparison' }).click()
  await expect(page).toHaveURL(/compare=off/)
  await expect(page.locator('[data-metric=page_views] .change')).not.toHaveText(/%/)
})

test('a click filters, the chip takes it back', async ({ signedIn: page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/audience?span=yesterday&compare=off`)
  const views = page.locator('[data-metric=page_views] .figure-value')
  await expect(views).toHaveText(/\d/)
  const all = await views.textContent()
  const name = page.getByRole('button', { name: 'google.com', exact: true })
  const row = page.getByRole('table', { name: 'Referrers' }).getByRole('row').filter({ has: name })
  const counted = await row.getByRole('cell').nth(1).textContent()
  await name.click()
  await expect(page.getByRole('group', { name: 'Filter' })).toHaveText('Referrer is google.com')
  await expect(views).toHaveText(counted ?? '')
  await expect(page).toHaveURL(/f=is:referrer_host:google\.com/)
  await page.reload()
  await expect(views).toHaveText(counted ?? '')
  await page.getByRole('button', { name: /^Remove filter/ }).click()
  await expect(views).toHaveText(all ?? '')
})

test('the search filters by what it finds', async ({ signedIn: page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/audience?span=yesterday`)
  await page.getByRole('combobox', { name: /^Filter by/ }).fill('google')
  await page.getByRole('option', { name: /google\.com/ }).first().click()
  await expect(page.getByRole('group', { name: 'Filter' })).toContainText('google.com')
})

test('a drag across the chart zooms in, its chip zooms out', async ({ signedIn: page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/audience?span=yesterday`)
  const plot = page.locator('.chart .u-over')
  const box = await plot.boundingBox()
  if (!box) throw new Error('no chart')
  await page.mouse.move(box.x + box.width * 0.4, box.y + 50)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.6, box.y + 50, { steps: 4 })
  await page.mouse.up()
  await expect(page).toHaveURL(/zoom=/)
  await expect(page.getByText('Zoomed to')).toBeVisible()
  await page.getByRole('button', { name: 'Show the whole span again' }).click()
  await expect(page).not.toHaveURL(/zoom=/)
})

test('the chart is a table too', async ({ signedIn: page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/audience?span=yesterday&res=hour`)
  await page.getByRole('button', { name: 'Show as table' }).click()
  const table = page.getByRole('table', { name: 'Page views' })
  await expect(table.getByRole('row')).toHaveCount(25)
  await expect(table).toContainText('Europe/Berlin')
})

test('a failing server is named and can be asked again', async ({ signedIn: page, demo }) => {
  const refuse = (route: { fulfill: (answer: object) => Promise<void> }) =>
    route.fulfill({ status: 422, contentType: 'application/problem+json', body: '{"title":"Unprocessable","status":422,"detail":"the question is too hard"}' })
  await page.route('**/query', refuse)
  await page.goto(`${demo.url}/sites/demo/audience?span=yesterday`)
  await expect(page.getByText('the question is too hard').first()).toBeVisible()
  await page.unroute('**/query', refuse)
  await page.getByRole('button', { name: 'Try again' }).first().click()
  await expect(page.locator('[data-metric=page_views] .figure-value')).toHaveText(/\d/)
})

test('channels, countries and devices have names, filter and add up', async ({ signedIn: page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/audience?span=yesterday&compare=off`)
  const views = page.locator('[data-metric=page_views] .figure-value')
  await expect(views).toHaveText(/\d/)
  const all = Number(((await views.textContent()) ?? '').replaceAll(',', ''))
  const numbers = async (name: string) => (await page.getByRole('table', { name, exact: true }).locator('tbody td:nth-child(2)').allTextContents()).map((n) => Number(n.replaceAll(',', '')))
  await expect(page.getByRole('table', { name: 'Countries' })).toContainText('Germany')
  await expect(page.getByRole('table', { name: 'Devices' })).toContainText('Phone')
  const channels = page.getByRole('table', { name: 'Channels' })
  await expect(channels).toContainText('Social media')
  expect((await numbers('Channels')).reduce((a, b) => a + b, 0)).toBe(all)
  expect((await numbers('Devices')).reduce((a, b) => a + b, 0)).toBe(all)

  await channels.getByRole('button', { name: 'Social media' }).click()
  await expect(page.getByRole('group', { name: 'Filter' })).toHaveText('Channel is Social media')
  await expect(page).toHaveURL(/f=is:channel:social/)
  await expect.poll(() => numbers('Channels')).toHaveLength(1)
  expect((await numbers('Channels'))[0]).toBeLessThan(all)

  await page.getByRole('radio', { name: 'Browser' }).click()
  await expect(page.getByRole('table', { name: 'Devices' }).getByRole('columnheader').first()).toHaveText('Browser')
})

test('what no column is known of says what it takes', async ({ signedIn: page, demo }) => {
  await page.route('**/query', async (route) => {
    const asked = route.request().postDataJSON() as { dimensions?: string[] }
    if (asked.dimensions?.[0] !== 'country') return route.continue()
    await route.fulfill({ json: { results: [{ dimensions: ['(none)'], metrics: [7, 7, 1] }], totals: [7, 7, 1], meta: { as_of: new Date().toISOString(), exact: true, took_ms: 1, warnings: [], position: '1-1-1' }, query: asked } })
  })
  await page.goto(`${demo.url}/sites/demo/audience?span=yesterday`)
  await expect(page.getByText('start the server with --geo FILE')).toBeVisible()
})
