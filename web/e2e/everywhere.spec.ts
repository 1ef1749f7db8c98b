import { expect, test } from './server'

/** What has the focus, and whether its beginning is seen. */
const focus = (): [string, boolean] => {
  const element = document.activeElement
  if (!element || element === document.body) return ['', true]
  const { left, top, width, height } = element.getBoundingClientRect()
  const seen = document.elementFromPoint(left + Math.min(width / 2, 40), top + Math.min(height / 2, 20))
  return [`${element.tagName} ${element.getAttribute('aria-label') ?? element.textContent}`.slice(0, 60), seen !== null && (element.contains(seen) || seen.contains(element))]
}

const pages = ['live', 'audience', 'program', 'health', 'settings', 'install']

test('Live follows the readers', async ({ signedIn: page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/live`)
  await expect(page.locator('[data-live=readers]')).toHaveText(/[1-9]/)
  await expect(page.getByText('Live · times in Europe/Berlin')).toBeVisible()
  await expect(page.getByRole('table', { name: 'Being read now' }).getByRole('row').nth(1)).toBeVisible()
  const seen = new Set<string>()
  await expect
    .poll(async () => seen.add((await page.locator('.live-now').textContent()) ?? '').size, { timeout: 30_000 })
    .toBeGreaterThan(1)
})

test('the theme is chosen once and stays', async ({ signedIn: page, demo }) => {
  const lightness = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  await page.goto(`${demo.url}/sites/demo/settings`)
  await page.getByRole('radio', { name: 'Light' }).click()
  const light = await lightness()
  await page.getByRole('radio', { name: 'Dark' }).click()
  const dark = await lightness()
  expect(dark).not.toBe(light)
  await page.reload()
  expect(await lightness()).toBe(dark)
  await page.emulateMedia({ colorScheme: 'light' })
  expect(await lightness()).toBe(dark)
  await page.getByRole('radio', { name: 'As the system' }).click()
  expect(await lightness()).toBe(light)
  await page.emulateMedia({ colorScheme: 'dark' })
  expect(await lightness()).toBe(dark)
})

test('the language is chosen once and stays', async ({ signedIn: page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/settings`)
  await page.getByRole('radio', { name: 'Deutsch' }).click()
  await expect(page.getByRole('heading', { name: 'Einstellungen' })).toBeVisible()
  await page.reload()
  await expect(page.getByRole('link', { name: 'Publikum' })).toBeVisible()
  expect(await page.locator('html').getAttribute('lang')).toBe('de')
})

test('keys go to pages, search, list themselves and move in tables', async ({ signedIn: page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/live`)
  await expect(page.getByRole('heading', { name: 'Live' })).toBeVisible()
  await page.keyboard.press('g')
  await page.keyboard.press('a')
  await expect(page.getByRole('heading', { name: 'Audience' })).toBeVisible()

  await page.keyboard.press('/')
  await expect(page.getByRole('combobox', { name: /^Filter by/ })).toBeFocused()
  await page.keyboard.press('Escape')
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog', { name: 'Keyboard' })).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toBeHidden()

  const rows = page.getByRole('table', { name: 'Articles' }).locator('tbody').getByRole('button')
  await rows.first().focus()
  await page.keyboard.press('ArrowDown')
  await expect(rows.nth(1)).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('group', { name: 'Filter' })).toBeVisible()

  await page.locator('.chart').focus()
  await page.keyboard.press('ArrowLeft')
  await expect(page.locator('.chart-tip')).toContainText('Page views')

  await page.keyboard.press('g')
  await page.keyboard.press('l')
  await expect(page.getByRole('heading', { name: 'Live' })).toBeVisible()
})

test('a wall behind nginx needs no key: the site is told in Settings', async ({ signedIn: page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/settings`)
  await page.getByLabel('Servers in front').fill('nginx')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByRole('alert')).toBeVisible()
  await page.getByLabel('Servers in front').fill('127.0.0.1, 10.0.0.0/8')
  await page.getByLabel('Readers who were not asked for consent').selectOption('assume')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Saved', { exact: true })).toBeVisible()
  await page.reload()
  await expect(page.getByLabel('Servers in front')).toHaveValue('127.0.0.1, 10.0.0.0/8')
  await expect(page.getByLabel('Readers who were not asked for consent')).toHaveValue('assume')
})

test('keys of the interface are made, shown once and deleted', async ({ signedIn: page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/settings`)
  await page.getByRole('button', { name: 'New API key' }).click()
  await page.getByRole('dialog').getByLabel('Name').fill('cms')
  await page.getByRole('button', { name: 'Create key' }).click()
  await expect(page.getByRole('dialog').getByLabel('The key is ready').last()).toContainText(/^rk_/)
  await page.getByRole('button', { name: 'Done' }).click()
  await page.getByRole('button', { name: 'Delete key cms' }).click()
  await page.getByRole('button', { name: 'Delete', exact: true }).click()
  await expect(page.getByText('No API keys yet')).toBeVisible()
})

test.describe('at 390 px', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true })

  for (const name of ['audience', 'health', 'settings']) {
    test(`what Tab reaches in ${name} is seen`, async ({ signedIn: page, demo }) => {
      await page.goto(`${demo.url}/sites/demo/${name}`)
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
      await expect(page.locator('main .bone')).toHaveCount(0)
      const reached = new Set<string>()
      for (let n = 0; n < 60; n++) {
        await page.keyboard.press('Tab')
        const [what, seen] = await page.evaluate(focus)
        if (what === '') break
        reached.add(what)
        expect(seen, `${what} has the focus and is covered`).toBe(true)
      }
      expect(reached.size).toBeGreaterThan(12)
    })
  }

  for (const name of pages) {
    test(`${name} fits`, async ({ signedIn: page, demo }) => {
      await page.goto(`${demo.url}/sites/demo/${name}`)
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
      await expect(page.locator('.skeleton')).toHaveCount(0)
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
      const nav = await page.getByRole('navigation').boundingBox()
      expect((nav?.y ?? 0) + (nav?.height ?? 0)).toBe(844)
    })
  }

  test('tables keep the two columns that matter', async ({ signedIn: page, demo }) => {
    await page.goto(`${demo.url}/sites/demo/audience`)
    await expect(page.getByRole('table', { name: 'Articles' }).getByRole('columnheader')).toHaveText(['Articles', /Page views/])
  })
})

test('pages have no fault in the console', async ({ signedIn: page, demo }) => {
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()))
  for (const name of pages) {
    await page.goto(`${demo.url}/sites/demo/${name}`)
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
    await expect(page.locator('.skeleton')).toHaveCount(0)
  }
  expect(faults).toEqual([])
})
