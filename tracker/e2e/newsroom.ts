// A publisher's site and its readers: pages on news.example that carry a tag, the
// built program behind collect.news.example, and Chromium between them.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Browser, type BrowserContext, chromium, type Page, test as base } from '@playwright/test'
import { DOMAIN, freePort, SITE, start } from '../../clients/harness/server.js'

// A browser as readers have it: headless Chromium names itself a robot.
export const agent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36'

/** Whose pages the browser finds here, and no others. */
export const arguments_ = ['--no-sandbox', '--disable-gpu', `--host-resolver-rules=MAP ${DOMAIN} 127.0.0.1,MAP *.${DOMAIN} 127.0.0.1,MAP else.example 127.0.0.1,MAP localhost 127.0.0.1,MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`]

export interface Row {
  type: string
  time: string
  device?: string
  item?: string
  url?: string
  title?: string
  canonical?: string
  referrer?: string
  engaged_seconds?: number
  scroll_percent?: number
  value?: number
  currency?: string
  properties?: Record<string, string | number | boolean>
}

export interface Newsroom {
  /** The program's own address, and its site's write key. */
  url: string
  key: string
  /** Where the publisher's pages and the tracker's server are, for browsers. */
  origin: string
  /** Where the program itself finds the pages. */
  local: string
  collect: string
  /** The publisher's pages behind the program's own proxy. */
  proxied: string
  call: (method: string, path: string, body?: unknown) => Promise<string>
  /** Serves a page at a path of the site; `head` stands before the tag. */
  page: (path: string, parts: { tag?: string; head?: string; body?: string }) => void
  /** The tag of the install page, with more attributes. */
  tag: (attributes?: string) => string
  /** The stored rows that a test made, told apart by its folder. */
  rows: (folder: string) => Promise<Row[]>
  /** Counts of the ledger. */
  ledger: () => Promise<Record<string, number>>
  /** A reader: a browser with no past. */
  reader: () => Promise<BrowserContext>
  browser: Browser
}

/** What the harness starts. */
interface Program {
  url: string
  key: string
  call: Newsroom['call']
  events: () => Promise<unknown[]>
  ledger: () => Promise<unknown>
  stop: () => Promise<void>
}

async function open(): Promise<{ newsroom: Newsroom; close: () => Promise<void> }> {
  const proxy = `127.0.0.1:${await freePort()}`
  const server: Program = await start({ domains: [DOMAIN, 'localhost'] }, ['--proxy-listen', proxy, '--page-networks', '127.0.0.0/8,::1/128'])
  const pages = new Map<string, string>()
  const publisher: Server = createServer((request, answer) => {
    const path = (request.url ?? '').replace(/\?.*/, '')
    const html = pages.get(path)
    answer.writeHead(html === undefined ? 404 : 200, { 'Content-Type': 'text/html; charset=utf-8' }).end(html ?? '')
  })
  publisher.listen(0, '127.0.0.1')
  await once(publisher, 'listening')
  const origins = [{ url: `http://127.0.0.1:${(publisher.address() as AddressInfo).port}` }]
  await server.call('PUT', `/v1/sites/${SITE}/routes`, [{ host: DOMAIN, origins }])
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: arguments_,
  })
  const collect = `http://collect.${DOMAIN}:${new URL(server.url).port}`
  const newsroom: Newsroom = {
    url: server.url,
    key: server.key,
    origin: `http://${DOMAIN}:${(publisher.address() as AddressInfo).port}`,
    local: `http://localhost:${(publisher.address() as AddressInfo).port}`,
    collect,
    proxied: `http://${DOMAIN}:${new URL(`http://${proxy}`).port}`,
    call: server.call,
    page: (path, { tag, head = '', body = '' }) =>
      pages.set(path, `<!doctype html><html lang="en"><head><title>The page at ${path}</title>${head}${tag ?? newsroom.tag()}</head><body>${body}</body></html>`),
    tag: (attributes = '') => `<script defer src="${collect}/rs.js" data-site="${SITE}" data-key="${server.key}" ${attributes}></script>`,
    rows: async (folder) => ((await server.events()) as Row[]).filter(({ url }) => url?.includes(`/${folder}/`)),
    ledger: async () => {
      const { verdicts } = (await server.ledger()) as { verdicts: { verdict: string; count: number }[] }
      return Object.fromEntries(verdicts.map(({ verdict, count }) => [verdict, count]))
    },
    reader: () => browser.newContext({ userAgent: agent, locale: 'en-GB', viewport: { width: 1000, height: 700 } }),
    browser,
  }
  return {
    newsroom,
    close: async () => {
      await browser.close()
      publisher.closeAllConnections()
      publisher.close()
      await server.stop()
    },
  }
}

export const test = base.extend<{ page: Page }, { newsroom: Newsroom }>({
  newsroom: [
    // eslint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from the pattern
    async ({}, provide) => {
      const { newsroom, close } = await open()
      await provide(newsroom)
      await close()
    },
    { scope: 'worker', timeout: 90_000 },
  ],
  page: async ({ newsroom }, provide) => {
    const reader = await newsroom.reader()
    await provide(await reader.newPage())
    await reader.close()
  },
})

/** Stops the page's clock: from here on it moves by `clock.runFor` alone. */
export async function freeze(page: Page) {
  const now = Date.now()
  await page.clock.install({ time: now })
  await page.clock.pauseAt(now + 2000)
}

export { expect } from '@playwright/test'
