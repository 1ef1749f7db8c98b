// A wall on the fourth article: in Chromium, behind servers of others with the files
// of deploy/.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { chromium } from 'playwright-core'
import { caddy, get, nginx, origin } from '../harness/front.js'
import { DOMAIN, freePort, SITE, start } from '../harness/server.js'

const program = (counts) => `
meter monthly (limit: 3) = burns |> per month |> distinct item
access story (counts: ${counts}, deadline: 10s) {
  deny   paid     if item.tier == "premium"       offers plans
  charge crawler  if bot.class == "ai_training"   price 0.002 EUR
  allow  again    if item in monthly
  allow  metered  if monthly.left > 0             burns monthly
  deny   wall                                     offers registration_wall
}
`

const agent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36'

let server, site, ports, browser
const proxyPort = await freePort()
before(async () => {
  server = await start({ trusted_proxies: ['127.0.0.1'], privacy: { without_consent: 'assume' } }, ['--proxy-listen', `127.0.0.1:${proxyPort}`])
  site = await origin()
  ports = { readership: Number(new URL(server.url).port), origin: site.port }
  await server.call('PUT', `/v1/sites/${SITE}/program`, { files: { main: program('request') } })
  await server.call('PUT', `/v1/sites/${SITE}/items/fourth`, { url: `https://${DOMAIN}/articles/4`, title: 'The fourth article' })
  await server.call('PUT', `/v1/sites/${SITE}/items/paid`, { url: `https://${DOMAIN}/articles/paid`, tier: 'premium' })
  const origins = [{ url: `http://127.0.0.1:${site.port}` }]
  await server.call('PUT', `/v1/sites/${SITE}/routes`, [
    { host: DOMAIN, path: '/articles/*', origins, access: 'story' },
    { host: DOMAIN, path: '/*', origins },
  ])
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', `--host-resolver-rules=MAP ${DOMAIN} 127.0.0.1,MAP * ~NOTFOUND`],
  })
})
after(async () => {
  await browser?.close()
  await site?.close()
  await server?.stop()
})

/** A reader with a browser of their own. */
async function reader(t, front) {
  const context = await browser.newContext({ userAgent: agent, locale: 'en-GB' })
  t.after(() => context.close())
  const page = await context.newPage()
  return {
    context,
    page,
    open: async (path) => {
      const answer = await page.goto(`http://${DOMAIN}:${front.port}${path}`)
      return { status: answer.status(), headers: answer.headers(), text: await page.locator('body').innerText() }
    },
  }
}

/** Walls are committed beside their page: asks until there is an answer. */
async function eventually(ask) {
  for (const limit = Date.now() + 20_000; Date.now() < limit; await pause(20)) {
    const answer = await ask()
    if (answer) return answer
  }
  assert.fail('it does not come')
}

/** Three articles, again the first, the wall on the fourth. */
async function wallOnTheFourth(r, cookie) {
  for (let i = 1; i <= 3; i++) {
    const page = await r.open(`/articles/${i}?utm_source=letter`)
    assert.equal(page.status, 200)
    assert.match(page.text, new RegExp(`The article at /articles/${i}`))
    assert.match(page.headers['cache-control'], /private/)
    assert.equal(JSON.parse(await r.page.locator('#told').innerText())['x-readership-decision'], 'allow')
  }
  assert.deepEqual((await r.context.cookies()).map((c) => c.name).sort(), ['cms', cookie])
  const kept = (await r.context.cookies()).find((c) => c.name === cookie)
  assert.equal(kept.httpOnly, true)
  assert.equal(kept.sameSite, 'Lax')
  assert.equal(kept.expires === -1, cookie === 'rsm') // of the session alone without consent

  const wall = await r.open('/articles/4/')
  assert.equal(wall.status, 403)
  assert.match(wall.text, /You have reached your limit/)
  assert.match(wall.text, /The fourth article/)
  assert.match(wall.text, /You have read 3 of 3 articles/)
  assert.doesNotMatch(wall.text, /The article at/)
  assert.match(await r.page.locator('code').innerText(), /^[\w-]{8}$/)
  assert.equal((await r.open('/articles/2')).status, 200)
  assert.equal((await r.open('/')).status, 200)
}

const fronts = { nginx, caddy }
const own = async () => ({ port: proxyPort, close: async () => {} })

/** Lets pages count as a block says. */
const counting = (counts) => server.call('PUT', `/v1/sites/${SITE}/program`, { files: { main: program(counts) } })

for (const [name, begin, counts] of [...Object.entries(fronts), ['our proxy', own, 'rendered']]) {
  test(`${name}: the fourth article shows the wall`, async (t) => {
    await counting(counts ?? 'request')
    const front = await begin(ports)
    t.after(front.close)
    const r = await reader(t, front)
    await wallOnTheFourth(r, 'rsid')

    const code = await (await r.open('/articles/4'), r.page.locator('code')).innerText()
    const kept = await eventually(async () => JSON.parse(await server.call('GET', `/v1/sites/${SITE}/decisions?code=${code}`)).decisions[0])
    assert.equal(kept.clause, 'wall')

    // What comes from outside is not believed, and crawlers see a price.
    const crawler = await get(front.port, '/articles/9', { 'User-Agent': 'Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)' })
    assert.equal(crawler.status, 402)
    assert.equal(crawler.headers['crawler-price'], 'EUR 0.002')
    site.asked.length = 0
    await get(front.port, '/articles/7', { 'X-Readership-Decision': 'deny', 'X-Readership-Offer': 'x', 'X-Readership-Reader': 'account:boss', 'User-Agent': agent })
    await get(front.port, '/front', { 'X-Readership-Decision': 'allow', 'X-Readership-Reader': 'account:boss', 'User-Agent': agent })
    assert.equal(site.asked[0].headers['x-readership-decision'], 'allow')
    assert.match(site.asked[0].headers['x-readership-reader'], /^device:/)
    assert.ok(!site.asked[0].headers['x-readership-offer'])
    assert.ok(!site.asked[1].headers['x-readership-decision'])
    assert.ok(!site.asked[1].headers['x-readership-reader'])
  })
}

for (const [name, begin, counts] of [['nginx', nginx, 'request'], ['our proxy', own, 'rendered']]) {
  test(`${name}: without consent the burns go with the session`, async (t) => {
    await counting(counts)
    const privacy = (without_consent) => server.call('PATCH', `/v1/sites/${SITE}`, { privacy: { without_consent } })
    await privacy('cookieless')
    t.after(() => privacy('assume'))
    const front = await begin(ports)
    t.after(front.close)
    const r = await reader(t, front)
    await wallOnTheFourth(r, 'rsm')
  })
}

for (const [name, begin] of [...Object.entries(fronts), ['our proxy', own]]) {
  test(`${name}: a paid article is not had by another name`, async (t) => {
    await counting('request')
    const front = await begin(ports)
    t.after(front.close)
    const paths = ['paid', '%70aid', '/paid', 'paid;x', 'x/../paid', '%2e/paid', 'paid/', 'paid?x=1'].map((path) => `/articles/${path}`)
    for (const path of [...paths, '//articles/paid', '/%61rticles/paid', '/x/..%2farticles/paid', '/articles;x/paid']) {
      for (const named of [{}, { 'X-Original-URI': '/articles/1' }, { 'X-Forwarded-Uri': '/articles/1' }]) {
        const page = await get(front.port, path, { 'User-Agent': agent, ...named })
        assert.ok(page.status >= 400, `${path} ${JSON.stringify(named)}: ${page.status}`)
        assert.doesNotMatch(page.text, /The article at/)
        for (const name of ['x-readership-segments', 'x-readership-reader']) assert.equal(page.headers[name], undefined, `${path} says ${name}`)
      }
    }
  })
}

test('nginx: the page says what makes it count', async (t) => {
  await counting('engaged 10s')
  const front = await nginx(ports, (text) => text.replace(/# (proxy_set_header Accept-Encoding|sub_filter)/g, '$1'))
  t.after(front.close)
  const page = await get(front.port, '/articles/1', { 'User-Agent': agent })
  assert.match(page.text, /<meta name="readership-decision" content="[\w.-]+" data-engaged_seconds=10><\/head>/)
})

for (const [name, begin] of Object.entries(fronts)) {
  test(`${name}: page views and decisions are of one device`, async (t) => {
    await counting('rendered') // the tracker's page view commits the decision, as it is of the same device
    const tracked = await origin(`<script defer src="/_readership/rs.js" data-site="${SITE}" data-key="${server.key}"></script>`)
    t.after(tracked.close)
    const front = await begin({ ...ports, origin: tracked.port })
    t.after(front.close)
    const r = await reader(t, front)
    const path = `/articles/tracked-${name}`
    await r.open(path)
    const told = JSON.parse(await r.page.locator('#told').innerText())
    const rows = await eventually(async () => {
      const rows = (await server.events()).filter((row) => row.item === DOMAIN + path)
      return ['page_view', 'decision'].every((type) => rows.some((row) => row.type === type)) && rows
    })
    assert.deepEqual(rows.map((row) => row.type).sort(), ['decision', 'page_view'])
    for (const row of rows) assert.equal(`device:${row.device}`, told['x-readership-reader'], JSON.stringify(row))
    assert.deepEqual((await r.context.cookies()).map((c) => c.name).sort(), ['cms', 'rsid'])

    // The pixel and the tracker's commit pass as well; of the interface nothing else does.
    const pixel = await get(front.port, `/_readership/v1/pixel.gif?key=${server.key}&url=http://${DOMAIN}/articles/pixel`, { 'User-Agent': agent })
    assert.equal(pixel.headers['content-type'], 'image/gif')
    const commit = await get(front.port, `/_readership/v1/sites/${SITE}/decisions/none/commit`, { Authorization: `Bearer ${server.key}`, 'Content-Type': 'application/json' }, '{}')
    assert.match(commit.text, /not the id of a decision/)
    for (const other of ['v1/sites', `v1/sites/${SITE}`, `v1/sites/${SITE}/auth`, 'v1/events/..', 'metrics', 'rs.js/', ''])
      assert.match((await get(front.port, `/_readership/${other}`)).text, /The article at/, other)
  })

  test(`${name}: what the tracker sends is not taken while Readership is away`, async (t) => {
    const front = await begin({ ...ports, readership: await freePort() })
    t.after(front.close)
    assert.equal((await get(front.port, '/_readership/v1/events', {}, '[]')).status, 502) // the tracker sends it again
  })

  test(`${name}: articles are open while Readership starts`, async (t) => {
    const starting = createServer((req, res) => res.writeHead(503, { 'Retry-After': '1' }).end('the server is starting')).listen(0, '127.0.0.1')
    await once(starting, 'listening')
    t.after(() => starting.close())
    const front = await begin({ ...ports, readership: starting.address().port })
    t.after(front.close)
    const page = await get(front.port, '/articles/1', { 'X-Readership-Decision': 'allow', X_Readership_Reader: 'account:boss' })
    assert.equal(page.status, 200)
    assert.match(page.text, /The article at/)
    assert.doesNotMatch(page.text, /boss/)
  })

  test(`${name}: articles are open while Readership is away`, async (t) => {
    const front = await begin({ ...ports, readership: await freePort() })
    t.after(front.close)
    const page = await get(front.port, '/articles/1', { 'X-Readership-Decision': 'allow', 'X-Readership-Reader': 'account:boss' })
    assert.equal(page.status, 200)
    assert.match(page.text, /The article at/)
    assert.doesNotMatch(page.text, /boss/)
  })
}
