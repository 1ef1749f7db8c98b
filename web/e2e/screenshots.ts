import type { Page } from '@playwright/test'
import { sendAll } from './events'
import { expect, test } from './server'

// The pictures of the documentation, from the sample newspaper: npm run screenshots.
const folder = '../docs/images'

test.use({ viewport: { width: 1280, height: 860 } })

test('Audience, light', async ({ signedIn: page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/audience`)
  await expect(page.getByRole('table', { name: 'Articles' })).toContainText('Front page')
  await page.waitForLoadState('networkidle')
  await page.screenshot({ path: `${folder}/audience.png` })
})

test('Health, light', async ({ signedIn: page, demo }) => {
  await sendAll(page, demo.url)
  await page.goto(`${demo.url}/sites/demo/health?span=60m`)
  await expect(page.getByRole('table', { name: 'What became of it, and why' })).toContainText('Robot')
  await page.waitForTimeout(500) // fonts and the chart settle
  await page.screenshot({ path: `${folder}/health.png` })
})

test('Live, dark', async ({ signedIn: page, demo }) => {
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.goto(`${demo.url}/sites/demo/live`)
  await expect(page.locator('[data-live=readers]')).toHaveText(/[1-9]/)
  await page.waitForTimeout(8000) // its little line needs some seconds to draw
  await page.screenshot({ path: `${folder}/live.png` })
})

for (const theme of ['light', 'dark'] as const) {
  test(`Program, ${theme}`, async ({ signedIn: page, demo }) => {
    await page.emulateMedia({ colorScheme: theme })
    await showProgram(page, demo.url)
    await page.screenshot({ path: `${folder}/program-${theme}.png` })
  })
}

test.describe('narrow', () => {
  test.use({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true })
  test('Audience', async ({ signedIn: page, demo }) => {
    await page.goto(`${demo.url}/sites/demo/audience?span=24h&res=hour`)
    await expect(page.getByRole('table', { name: 'Articles' })).toContainText('Front page')
    await page.waitForTimeout(500) // fonts and the chart settle
    await page.screenshot({ path: `${folder}/narrow.png` })
  })
  for (const theme of ['light', 'dark'] as const) {
    test(`Program, ${theme}`, async ({ signedIn: page, demo }) => {
      await page.emulateMedia({ colorScheme: theme })
      await showProgram(page, demo.url)
      await page.screenshot({ path: `${folder}/program-narrow-${theme}.png` })
    })
  }
})

const sample = `-- What readers of the Harbour Post may read.
let reads = events |> where type == "page_view"

segment regulars   = reads |> last 14d |> distinct day |> count >= 4
segment sport_fans = reads |> where item.section == "sport" |> last 14d |> distinct item |> count >= 3

let allowance = if reader.registered then 10 else 5
meter monthly (limit: allowance) = burns |> per month |> distinct item

access story {
  allow again    if item in monthly
  allow metered  if monthly.left > 0 burns monthly
  deny  register offers registration_wall
}

test "the sixth article stops an anonymous reader" {
  item a1..a6 { kind: "article" }
  at 2026-03-01T10:00 read a1, a2, a3, a4, a5
  at 2026-03-02T10:01 expect story(a6) == deny register
}
`

/** The page Program with a program that says something. */
async function showProgram(page: Page, url: string): Promise<void> {
  const stored = await page.request.put(`${url}/v1/sites/demo/program`, { data: { files: { main: sample } } })
  expect(stored.ok()).toBe(true)
  await page.goto(`${url}/sites/demo/program`)
  await expect(page.getByText('No errors, tests pass')).toBeVisible()
  await expect(page.locator('.skeleton')).toHaveCount(0)
}
