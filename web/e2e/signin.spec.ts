import { expect, test } from './server'

test('asks to sign in, refuses a wrong password, goes on to where one wanted to go', async ({ page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/audience?span=24h`)
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible()
  await page.getByLabel('E-mail').fill(demo.email)
  await page.getByLabel('Password').fill('not the password')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('alert')).toHaveText('E-mail or password is wrong.')

  await page.getByLabel('Password').fill(demo.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('heading', { name: 'Audience' })).toBeVisible()
  expect(new URL(page.url()).search).toBe('?span=24h')

  await page.getByRole('button', { name: /^Account of/ }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible()
  await page.goto(`${demo.url}/sites/demo/live`)
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible()
})

test('shows the sign-in when the session ends', async ({ signedIn: page, demo }) => {
  await page.goto(`${demo.url}/sites/demo/audience`)
  await expect(page.locator('[data-metric=page_views] .figure-value')).toHaveText(/\d/)
  await page.waitForLoadState('networkidle') // nothing else may notice first
  await page.context().clearCookies()
  await page.getByRole('radio', { name: 'Day' }).click()
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible()
})
