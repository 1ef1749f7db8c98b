import { type Page, expect, test } from '@playwright/test'
import { type Server, start } from './server'

let server: Server
let importKey = ''
const site = 'news'
const person = { email: 'ada@news.example', password: 'long enough, and then some' }
const text = `-- 📰
let reads = events |> where type == "page_view"
segment fan = reads |> last 14d |> count >= 3
meter monthly (limit: 2) = burns |> last 30d |> distinct item
access story {
  allow again   if item in monthly
  allow metered if monthly.left > 0 burns monthly
  deny  stopped
}
`

test.beforeAll(async ({ playwright }) => {
  server = await start(/setup\?token=/)
  const token = /setup\?token=(\S+)/.exec(server.output())?.[1] ?? ''
  const context = await playwright.request.newContext({ baseURL: server.url })
  const made = await context.post('/v1/setup', { data: { token, name: 'Ada', ...person, site: { id: site, domains: ['news.example'], timezone: 'Europe/Berlin' } } })
  expect(made.ok()).toBe(true)
  await context.post('/v1/sessions', { data: person })
  // Twenty readers open four articles each, over three days: two of four are stopped by a limit of two.
  const now = Date.now()
  const events = Array.from({ length: 80 }, (_, n) => ({ type: 'page_view', device: `d${n % 20}`, item: `a${Math.floor(n / 20)}`, time: now - 3 * 86_400_000 + n * 3_000_000 }))
  const { key } = (await (await context.post('/v1/keys', { data: { name: 'import', scopes: ['events:import'], sites: [site] } })).json()) as { key: string }
  importKey = key
  const sent = await context.post(`/v1/events?site=${site}`, { data: events, headers: { Authorization: `Bearer ${key}` } })
  expect(await sent.json()).toMatchObject({ accepted: 80 })
  await context.dispose()
})
test.afterAll(() => server.stop())

test.beforeEach(async ({ page }) => {
  const answer = await page.request.post(`${server.url}/v1/sessions`, { data: person })
  expect(answer.ok()).toBe(true)
})

const editor = (page: Page) => page.getByRole('textbox', { name: 'Text of main' })

/** Opens the page and puts a text in the place of the one that is there. */
async function write(page: Page, what: string): Promise<void> {
  await page.goto(`${server.url}/sites/${site}/program`)
  await editor(page).focus()
  await page.keyboard.press('Control+a')
  await page.keyboard.press('Delete')
  await page.keyboard.insertText(what)
}

test('an error is marked at its place, and its line in the list goes there', async ({ page }) => {
  await write(page, '-- 📰\nsegment b = events |> where "📰" == item.sektion |> any\n')
  await expect(page.locator('.cm-lintRange-error')).toHaveText('item.sektion')
  const problem = page.getByRole('list', { name: 'Problems' }).getByRole('button')
  await expect(problem).toContainText('item.section')
  await problem.focus()
  await page.keyboard.press('Enter')
  await expect(editor(page)).toBeFocused()
  expect(await page.evaluate(() => window.getSelection()?.toString())).toBe('item.sektion')
})

test('from writing to simulating, activating and going back', async ({ page }) => {
  await test.step('storing makes a version that is not active', async () => {
    await write(page, text)
    await expect(page.getByText('No errors')).toBeVisible()
    await editor(page).focus()
    await page.keyboard.press('Control+s')
    await expect(page.getByText('Stored as version 1. It is not active yet.').first()).toBeVisible()
    await expect(page.getByRole('button', { name: /^Version 1/ })).toBeVisible()
  })
  await test.step('what it defines has costs', async () => {
    await expect(page.getByRole('table', { name: 'What it defines' })).toContainText('monthly')
  })
  await test.step('a simulation counts who would be stopped', async () => {
    await page.getByRole('button', { name: 'Simulate', exact: true }).click()
    const result = page.getByRole('group', { name: 'Result of the simulation' })
    await expect(result.locator('.figure-value')).toHaveText(['80', '40', '20', '20', '0'])
    await expect(page.getByRole('table', { name: 'What decided' })).toContainText('stopped')
  })
  await test.step('activation says what changes and who would be stopped', async () => {
    await page.getByRole('button', { name: 'Activate …' }).click()
    const dialog = page.getByRole('dialog')
    await expect(dialog).toContainText('New: segment fan, meter monthly')
    await expect(dialog).toContainText('20 readers would be stopped who were not')
    await dialog.getByRole('button', { name: 'Activate' }).click()
    await expect(page.getByText(/^Version 2 is active ·/)).toBeVisible()
  })
  await test.step('its segment has a size', async () => {
    const row = page.getByRole('table', { name: 'Segments' }).getByRole('row').filter({ hasText: 'fan' })
    await expect(row).toContainText('20')
    await expect(row).toContainText('100%')
  })
  await test.step('going back makes a version of the old text', async () => {
    await page.getByRole('button', { name: /^Version 0/ }).click()
    await page.getByRole('button', { name: 'Restore and activate' }).click()
    await page.getByRole('dialog', { name: /Go back to version 0/ }).getByRole('button', { name: 'Restore and activate' }).click()
    await expect(page.getByText(/^Version 3 is active ·/)).toBeVisible()
    await expect(editor(page)).toContainText('allow everyone')
  })
})

test('a simulation is stopped, and its days are read as a table', async ({ page }) => {
  await test.step('one that takes long says how far it is, and stops', async () => {
    // Each decision looks at all that its reader has read: readers of thousands of pages take their time.
    const now = Date.now()
    const lines = Array.from({ length: 48_000 }, (_, n) => JSON.stringify({ type: 'page_view', device: `much${n % 8}`, item: `m${n % 97}`, time: now - 86_400_000 - n * 1000 }))
    for (let first = 0; first < lines.length; first += 12_000) {
      const sent = await page.request.post(`${server.url}/v1/events?site=${site}`, {
        data: lines.slice(first, first + 12_000).join('\n'),
        headers: { Authorization: `Bearer ${importKey}`, 'Content-Type': 'application/x-ndjson' },
      })
      expect(sent.ok()).toBe(true)
    }
    await write(page, 'access story {\n  deny often if (events |> where item.id == request.item.id |> last 14d |> count) > 30\n  allow others\n}\n')
    await expect(page.getByText('No errors')).toBeVisible()
    await page.getByRole('button', { name: 'Simulate', exact: true }).click()
    await expect(page.getByRole('progressbar', { name: 'Progress of the simulation' })).toBeVisible()
    await page.getByRole('button', { name: 'Stop', exact: true }).click()
    await expect(page.getByText('Stopped; nothing is told of a part.')).toBeVisible()
    await expect(page.getByRole('group', { name: 'Result of the simulation' })).toBeHidden()
    await expect(page.getByRole('button', { name: 'Simulate', exact: true })).toBeEnabled()
  })
  await test.step('days are a table', async () => {
    await write(page, text)
    await expect(page.getByText('No errors')).toBeVisible()
    await page.getByRole('button', { name: 'Simulate', exact: true }).click()
    const result = page.getByRole('group', { name: 'Result of the simulation' })
    await expect(result).toBeVisible()
    await result.getByRole('button', { name: 'Show as table' }).click()
    const days = result.getByRole('table', { name: 'Stopped page views' })
    await expect(days.getByRole('row').first()).toContainText('Europe/Berlin')
    expect(await days.getByRole('row').count()).toBeGreaterThan(3)
    await result.getByRole('button', { name: 'Show as chart' }).click()
    await expect(days).toBeHidden()
  })
})

test('what somebody else activates meanwhile is not overwritten unseen', async ({ page }) => {
  await write(page, text)
  await expect(page.getByText('No errors')).toBeVisible()
  await page.getByRole('button', { name: 'Activate …' }).click()
  const other = await page.request.put(`${server.url}/v1/sites/${site}/program`, { data: { files: { main: 'access story { deny all }' } } })
  expect(other.ok()).toBe(true)
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Activate' }).click()
  await expect(dialog.getByRole('alert')).toContainText('meanwhile')
  await expect(dialog.locator('.cm-deletedChunk').first()).toContainText('deny all')
  await dialog.getByRole('button', { name: 'Activate' }).click()
  await expect(dialog).toBeHidden()
})

test('what is not stored is asked about and kept', async ({ page }) => {
  await write(page, '-- half a thought')
  await page.getByRole('link', { name: 'Health' }).click()
  await page.getByRole('dialog', { name: 'Leave without storing?' }).getByRole('button', { name: 'Leave' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Health' })).toBeVisible()
  await page.getByRole('link', { name: 'Program' }).click()
  await expect(editor(page)).toContainText('half a thought')
  await page.getByRole('button', { name: 'Discard changes' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Discard changes' }).click()
  await expect(editor(page)).not.toContainText('half a thought')
})

test.describe('at 390 px', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })
  test('it fits', async ({ page }) => {
    await page.goto(`${server.url}/sites/${site}/program`)
    await expect(editor(page)).toBeVisible()
    await expect(page.locator('.skeleton')).toHaveCount(0)
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
  })
})
