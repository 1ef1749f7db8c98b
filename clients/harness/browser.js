// Chromium with pages of the site, into which a client is bundled as a
// publisher would.
import { EventEmitter, once } from 'node:events'
import http from 'node:http'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { DOMAIN } from './server.js'

// A browser as readers have it: headless Chromium names itself a robot, and
// some clients then send nothing.
const agent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36'

/**
 * Serves pages that run `pages/NAME.js` and opens a browser. Pages find in
 * `window.harness` the collector's origin and the write key.
 * @param {string} name
 * @param {{port: number}} recorder
 * @param {string} key
 */
export async function browse(name, recorder, key) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../pages/${name}.js`, import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    logLevel: 'error',
  })
  const collect = `http://collect.${DOMAIN}:${recorder.port}`
  const head = `<script>window.harness=${JSON.stringify({ collect, key })}</script><script src="/client.js" defer></script>`
  const server = http.createServer((req, res) => {
    if (req.url === '/client.js') res.writeHead(200, { 'Content-Type': 'text/javascript; charset=utf-8' }).end(outputFiles[0].contents)
    else if (req.url === '/favicon.ico') res.writeHead(204).end()
    else
      res
        .writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' })
        .end(`<!doctype html><html lang="en"><head><title>${titleOf(req.url)}</title>${head}</head><body style="height:4000px"><h1>News</h1></body></html>`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://${DOMAIN}:${server.address().port}`

  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-blink-features=AutomationControlled', `--user-agent=${agent}`, `--host-resolver-rules=MAP ${DOMAIN} 127.0.0.1,MAP *.${DOMAIN} 127.0.0.1,MAP * ~NOTFOUND`],
  })
  const context = await browser.newContext({ userAgent: agent, locale: 'en-GB', viewport: { width: 1000, height: 700 } })
  const page = await context.newPage()
  /** What went wrong in the page: errors, warnings of clients, requests that failed or went elsewhere. */
  const complaints = []
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(`console: ${message.text()}`))
  page.on('pageerror', (error) => complaints.push(`page: ${error.message}`))
  page.on('requestfailed', (request) => complaints.push(`request: ${request.method()} ${request.url()} ${request.failure()?.errorText}`))

  const open = new Set()
  const over = new EventEmitter()
  const end = (request) => open.delete(request) && over.emit('one')
  page.on('request', (request) => open.add(request))
  page.on('requestfinished', end)
  page.on('requestfailed', end)

  return {
    page,
    complaints,
    origin,
    /** Opens a page of the site and waits until its script says that it is done. */
    async visit(path, referrer) {
      await page.goto(origin + path, referrer ? { referer: referrer } : {})
      await page.waitForFunction(() => window.harness.done, null, { timeout: 60_000 })
    },
    /** Waits until the page has all answers that it waits for. */
    async settled() {
      while (open.size > 0) await once(over, 'one', { signal: AbortSignal.timeout(60_000) })
    },
    close: async () => {
      await browser.close()
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

/** The title of a page, by its address. */
export const titleOf = (path) => `The page at ${path.replace(/[?#].*/, '')}`
