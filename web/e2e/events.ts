import type { Page } from '@playwright/test'
import { expect } from './server'

/** Sends events of every kind to the sample newspaper, as its pages and others do. */
export async function sendAll(page: Page, url: string): Promise<void> {
  const keys = (await (await page.request.get(`${url}/v1/sites/demo/write-keys`)).json()) as { write_keys: { key: string }[] }
  const send = (body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${url}/v1/events?key=${keys.write_keys[0]?.key ?? ''}`, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) })
  await send([{ type: 'click', id: 'sent-once', device: 'a' }, { typ: 'click' }, { type: 'page_view', url: 'https://elsewhere.example/', device: 'a' }])
  await send([{ type: 'click', id: 'sent-once', device: 'a' }])
  await send('{"type":')
  await send({ type: 'page_view', device: 'robot' }, { 'User-Agent': 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)' })
  const text = async () => (await page.request.get(`${url}/v1/sites/demo/ledger`)).text()
  await expect.poll(text).toContain('malformed_json') // what was not read comes with the next commit
  await expect.poll(text).toContain('"bot"')
}
