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

test('Live, dark', async ({ signedIn: page, demo }) => {
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.goto(`${demo.url}/sites/demo/live`)
  await expect(page.locator('[data-live=readers]')).toHaveText(/[1-9]/)
  await page.waitForTimeout(8000) // its little line needs some seconds to draw
  await page.screenshot({ path: `${folder}/live.png` })
})

test.describe('narrow', () => {
  test.use({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true })
  test('Audience', async ({ signedIn: page, demo }) => {
    await page.goto(`${demo.url}/sites/demo/audience?span=24h&res=hour`)
    await expect(page.getByRole('table', { name: 'Articles' })).toContainText('Front page')
    await page.waitForTimeout(500) // fonts and the chart settle
    await page.screenshot({ path: `${folder}/narrow.png` })
  })
})
