import { sendAll } from './events'
import { expect, test } from './server'

const number = (text: string | null) => Number((text ?? '').replaceAll(',', ''))

test('Health adds up, in the figures and line by line', async ({ signedIn: page, demo }) => {
  await sendAll(page, demo.url)
  await page.goto(`${demo.url}/sites/demo/health?span=today`)
  await expect(page.getByText('The server is caught up')).toBeVisible()
  const table = page.getByRole('table', { name: 'What became of it, and why' })
  await expect(table).toContainText('Robot: search engine')
  const [total = 0, ...parts] = (await page.locator('.figures .figure-value').allTextContents()).map(number)
  expect(total).toBeGreaterThan(1000)
  expect(parts.every((n) => n > 0)).toBe(true)
  expect(parts.reduce((a, b) => a + b, 0)).toBe(total)
  const sums = await table.locator('tbody .ledger-group td:nth-child(2)').allTextContents()
  expect(sums.map(number)).toEqual(parts)
  expect(number(await table.locator('tfoot td').first().textContent())).toBe(total)
  for (const group of await table.locator('tbody').all()) {
    const lines = (await group.locator('tr:not(.ledger-group) td:nth-child(2)').allTextContents()).map(number)
    if (lines.length > 0) expect(lines.reduce((a, b) => a + b, 0)).toBe(number(await group.locator('.ledger-group td').first().textContent()))
  }
})

test('reasons are told in words, with what to do', async ({ signedIn: page, demo }) => {
  await sendAll(page, demo.url)
  await page.goto(`${demo.url}/sites/demo/health?span=today`)
  const row = page.getByRole('row').filter({ hasText: 'Rejected: from a host that is not the site’s' })
  await expect(row).toContainText('a domain is missing in the settings')
  await expect(page.getByRole('row').filter({ hasText: 'Refused: not JSON' })).toBeVisible()
  await page.goto(`${demo.url}/sites/demo/settings`)
  await page.getByRole('radio', { name: 'Deutsch' }).click()
  await page.goto(`${demo.url}/sites/demo/health?span=today`)
  await expect(page.getByRole('row').filter({ hasText: 'Zurückgewiesen: von einem fremden Host' })).toContainText('eine Domain fehlt in den Einstellungen')
})

test('a kind is chosen by its figure, by keys too, and stands in the address', async ({ signedIn: page, demo }) => {
  await sendAll(page, demo.url)
  await page.goto(`${demo.url}/sites/demo/health?span=today`)
  const table = page.getByRole('table', { name: 'What became of it, and why' })
  await expect(table).toContainText('Robot')
  await page.getByRole('button', { name: /^Refused/ }).focus()
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/metric=refused/)
  await expect(table).not.toContainText('Robot')
  await page.reload()
  await expect(page.getByRole('button', { name: /^Refused/ })).toHaveAttribute('aria-pressed', 'true')
  await page.locator('.chart').focus()
  await page.keyboard.press('End')
  await expect(page.locator('.chart-tip')).toContainText('Refused')
  await page.getByRole('button', { name: /^Arrived/ }).click()
  await expect(page).not.toHaveURL(/metric=/)
})

test('warnings and messages that were set aside are shown, faults can be asked again', async ({ signedIn: page, demo }) => {
  await page.route('**/readyz', (route) => route.fulfill({ json: { status: 'ready', position: '1-1-1', log_time: new Date().toISOString(), warnings: ['log time is 2m ahead'] } }))
  await page.route('**/v1/quarantine', (route) => route.fulfill({ json: { messages: [{ position: '20785-0-91', cause: 'index out of range' }] } }))
  const refuse = (route: { fulfill: (answer: object) => Promise<void> }) =>
    route.fulfill({ status: 422, contentType: 'application/problem+json', body: '{"title":"Unprocessable","status":422,"detail":"the ledger is closed"}' })
  await page.route('**/ledger*', refuse)
  await page.goto(`${demo.url}/sites/demo/health?span=today`)
  await expect(page.getByText('log time is 2m ahead')).toBeVisible()
  await expect(page.getByRole('table', { name: 'Messages that were set aside' })).toContainText('index out of range')
  await expect(page.getByRole('link', { name: 'Read its events' })).toHaveAttribute('href', '/v1/quarantine/20785-0-91')
  await expect(page.getByText('the ledger is closed').first()).toBeVisible()
  await page.unroute('**/ledger*', refuse)
  await page.getByRole('button', { name: 'Try again' }).first().click()
  await expect(page.getByRole('table', { name: 'What became of it, and why' })).toContainText('Stored')
})

test('a span in which nothing arrived says so', async ({ signedIn: page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/health?span=2020-01-01..2020-01-02`)
  await expect(page.getByText('Nothing arrived in this span')).toBeVisible()
})
