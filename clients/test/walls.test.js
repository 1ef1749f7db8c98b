// A wall on the fourth article: in Chromium, behind servers of others with the files
// of deploy/.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { chromium } from 'playwright-core'
import { caddy, get, nginx, origin, traefik, varnish, worker } from '../harness/front.js'
import { apart, DOMAIN, freePort, SITE, start } from '../harness/server.js'

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

/** Three articles, again the first, the wall on the fourth. What is kept for all comes without the cookies of the CMS. */
async function wallOnTheFourth(r, cookie, kept) {
  for (let i = 1; i <= 3; i++) {
    const page = await r.open(`/articles/${i}?utm_source=letter`)
    assert.equal(page.status, 200)
    assert.match(page.text, new RegExp(`The article at /articles/${i}`))
    assert.match(page.headers['cache-control'], /private/)
    assert.equal(JSON.parse(await r.page.locator('#told').innerText())['x-readership-decision'], 'allow')
  }
  const cookies = await r.context.cookies()
  assert.deepEqual(cookies.map((c) => c.name).filter((name) => !kept || name !== 'cms').sort(), kept ? [cookie] : ['cms', cookie])
  const { httpOnly, sameSite, expires } = cookies.find((c) => c.name === cookie)
  assert.equal(httpOnly, true)
  assert.equal(sameSite, 'Lax')
  assert.equal(expires === -1, cookie === 'rsm') // of the session alone without consent

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

const fronts = { nginx, caddy, varnish, 'Cloudflare Worker': worker, ...(process.env.TRAEFIK && { traefik }) }
const keeping = new Set([varnish, worker]) // articles are kept for all, and the origin is not told who reads

/** Leaves out of a file what lets articles be open while Readership is away. */
const without = (...parts) => (text) => parts.reduce((text, part) => (assert.match(text, part), text.replace(part, '')), text)
const closed = new Map([
  [nginx, without(/proxy_connect_timeout [^]*?= @readership_away;/)],
  [caddy, without(/@busy status[^]*?\n\t\t\t}/, /\thandle_errors {[^]*?\n\t}/)],
  [varnish, without(/ \|\| resp\.status >= 500/)],
  [worker, (text) => without(/open = true/)(text).replace('const  //', 'const open = false //')],
  [traefik, (text) => text], // knows nothing else
])
const own = async () => ({ port: proxyPort, close: async () => {} })

/** Lets pages count as a block says. */
const counting = (counts) => server.call('PUT', `/v1/sites/${SITE}/program`, { files: { main: program(counts) } })

for (const [name, begin, counts] of [...Object.entries(fronts), ['our proxy', own, 'rendered']]) {
  test(`${name}: the fourth article shows the wall`, async (t) => {
    await counting(counts ?? 'request')
    const front = await begin(ports)
    t.after(front.close)
    const r = await reader(t, front)
    await wallOnTheFourth(r, 'rsid', keeping.has(begin))

    const code = await (await r.open('/articles/4'), r.page.locator('code')).innerText()
    const kept = await eventually(async () => JSON.parse(await server.call('GET', `/v1/sites/${SITE}/decisions?code=${code}`)).decisions[0])
    assert.equal(kept.clause, 'wall')

    // What comes from outside is not believed, and crawlers see a price.
    const crawler = await get(front.port, '/articles/9', { 'User-Agent': 'Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)' })
    assert.equal(crawler.status, 402)
    assert.equal(crawler.headers['crawler-price'], 'EUR 0.002')
    site.asked.length = 0
    const boss = { 'X-Readership-Reader': 'account:boss', X_Readership_Reader: 'account:boss', 'X-Readership_Decision-Id': 'boss' }
    await get(front.port, '/articles/7', { 'X-Readership-Decision': 'deny', 'X-Readership-Offer': 'x', ...boss, 'User-Agent': agent })
    await get(front.port, '/front', { 'X-Readership-Decision': 'allow', ...boss, 'User-Agent': agent })
    for (const { headers } of site.asked) assert.doesNotMatch(JSON.stringify(headers), /boss/)
    assert.equal(site.asked[0].headers['x-readership-decision'], 'allow')
    if (!keeping.has(begin)) assert.match(site.asked[0].headers['x-readership-reader'], /^device:/)
    else assert.equal(site.asked[0].headers['x-readership-reader'], undefined)
    assert.ok(!site.asked[0].headers['x-readership-offer'])
    assert.ok(!site.asked[1].headers['x-readership-decision'])
    assert.ok(!site.asked[1].headers['x-readership-reader'])
  })
}

for (const [name, begin, counts] of [...Object.entries(fronts), ['our proxy', own, 'rendered']]) {
  test(`${name}: without consent the burns go with the session`, async (t) => {
    await counting(counts ?? 'request')
    const privacy = (without_consent) => server.call('PATCH', `/v1/sites/${SITE}`, { privacy: { without_consent } })
    await privacy('cookieless')
    t.after(() => privacy('assume'))
    const front = await begin(ports)
    t.after(front.close)
    const r = await reader(t, front)
    await wallOnTheFourth(r, 'rsm', keeping.has(begin))
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

for (const [name, begin] of [...Object.entries(fronts), ['our proxy', own]]) {
  test(`${name}: an offer sends the reader elsewhere`, async (t) => {
    await counting('request')
    await server.call('PUT', `/v1/sites/${SITE}/offers/plans`, { title: 'Plans', redirect: '/plans?from={{.URL | urlquery}}' })
    t.after(() => server.call('DELETE', `/v1/sites/${SITE}/offers/plans`))
    const front = await begin(ports)
    t.after(front.close)
    const { status, headers, text } = await get(front.port, '/articles/paid', { 'User-Agent': agent })
    assert.equal(status, 302)
    assert.equal(headers.location, `/plans?from=${encodeURIComponent(`http://${DOMAIN}/articles/paid`)}`)
    assert.doesNotMatch(text, /The article at/)
  })
}

test('nginx: the page says what makes it count', async (t) => {
  await counting('engaged 10s')
  const front = await nginx(ports, (text) => text.replace(/# (proxy_set_header Accept-Encoding|sub_filter)/g, '$1'))
  t.after(front.close)
  const page = await get(front.port, '/articles/1', { 'User-Agent': agent })
  assert.match(page.text, /<meta name="readership-decision" content="[\w.-]+" data-engaged_seconds=10><\/head>/)
})

for (const [name, begin] of Object.entries(fronts).filter(([, begin]) => keeping.has(begin))) {
  test(`${name}: an article is kept for all, its verdict for nobody`, async (t) => {
    await counting('request')
    const front = await begin(ports)
    t.after(front.close)
    const path = `/articles/kept-${front.port}`
    const known = { 'User-Agent': agent, Cookie: 'cms=1; subscriber=1', Authorization: 'Basic ZWRpdG9y' }
    const fetched = () => site.asked.filter(({ url }) => url === path)
    const first = await get(front.port, path, known)
    for (const { headers } of fetched()) assert.deepEqual([headers.cookie, headers.authorization], [undefined, undefined])
    const kept = await eventually(async () => { // a Worker keeps a page beside its answer
      const before = fetched().length
      const page = await get(front.port, path, known)
      return fetched().length === before && page
    })
    assert.equal(kept.text, first.text)
    const devices = [first, kept].map((page) => page.headers['set-cookie'].map((cookie) => cookie.split(';')[0]))
    for (const cookies of devices) assert.match(cookies.join(), /^rsid=[^,]+$/)
    assert.notEqual(devices[0][0], devices[1][0])

    // Whose meter is full sees the wall, and nothing of what is kept.
    const Cookie = devices[1][0]
    for (const i of [1, 2]) assert.equal((await get(front.port, `/articles/${i}`, { 'User-Agent': agent, Cookie })).status, 200)
    assert.equal((await get(front.port, path, { 'User-Agent': agent, Cookie })).status, 200)
    await get(front.port, '/articles/3', { 'User-Agent': agent })
    const wall = await get(front.port, '/articles/3', { 'User-Agent': agent, Cookie })
    assert.equal(wall.status, 403)
    assert.doesNotMatch(wall.text, /The article at/)
    const heads = await Promise.all([path, '/articles/3'].map((page) => get(front.port, page, { 'User-Agent': agent, Cookie }, undefined, 'HEAD')))
    assert.deepEqual(heads.map(({ status, text }) => [status, text]), [[200, ''], [403, '']])
  })

  for (const said of [{ 'Cache-Control': 'private, max-age=600' }, { Vary: 'Accept-Language' }])
    test(`${name}: readers get their own of what the CMS says with ${JSON.stringify(said)}`, async (t) => {
      await counting('request')
      const personal = await origin('', said)
      t.after(personal.close)
      const front = await begin({ ...ports, origin: personal.port })
      t.after(front.close)
      for (const language of ['de', 'en', 'fr']) assert.equal((await get(front.port, '/articles/1', { 'User-Agent': agent, 'Accept-Language': language })).status, 200)
      assert.deepEqual(personal.asked.map(({ headers }) => headers['accept-language']), ['de', 'en', 'fr'])
    })
}

for (const [name, begin] of Object.entries(fronts)) {
  test(`${name}: page views and decisions are of one device`, async (t) => {
    await counting('rendered') // the tracker's page view commits the decision, as it is of the same device
    const tracked = await origin(`<script defer src="/_readership/rs.js" data-site="${SITE}" data-key="${server.key}"></script>`)
    t.after(tracked.close)
    const front = await begin({ ...ports, origin: tracked.port })
    t.after(front.close)
    const r = await reader(t, front)
    const path = `/articles/tracked-${begin.name}`
    await r.open(path)
    const told = JSON.parse(await r.page.locator('#told').innerText())
    const rows = await eventually(async () => {
      const rows = (await server.events()).filter((row) => row.item === DOMAIN + path)
      return ['page_view', 'decision'].every((type) => rows.some((row) => row.type === type)) && rows
    })
    assert.deepEqual(rows.map((row) => row.type).sort(), ['decision', 'page_view'])
    assert.equal(rows[0].device, rows[1].device)
    if (!keeping.has(begin)) assert.equal(`device:${rows[0].device}`, told['x-readership-reader'])
    assert.deepEqual((await r.context.cookies()).map((c) => c.name).filter((name) => name !== 'cms'), ['rsid'])

    // The pixel and the tracker's commit pass as well; of the interface nothing else does.
    const pixel = await get(front.port, `/_readership/v1/pixel.gif?key=${server.key}&url=http://${DOMAIN}/articles/pixel`, { 'User-Agent': agent })
    assert.equal(pixel.headers['content-type'], 'image/gif')
    const commit = await get(front.port, `/_readership/v1/sites/${SITE}/decisions/none/commit`, { Authorization: `Bearer ${server.key}`, 'Content-Type': 'application/json' }, '{}')
    assert.match(commit.text, /not the id of a decision/)
    for (const other of ['v1/sites', `v1/sites/${SITE}`, `v1/sites/${SITE}/auth`, 'v1/events/..', 'metrics', 'rs.js/', '']) {
      const answer = await get(front.port, `/_readership/${other}`)
      assert.ok(answer.status === 400 || /The article at/.test(answer.text), `${other}: ${answer.status} ${answer.text}`)
    }
  })

  test(`${name}: what the tracker sends is not taken while Readership is away`, async (t) => {
    const front = await begin({ ...ports, readership: await freePort() })
    t.after(front.close)
    const { status } = await get(front.port, '/_readership/v1/events', {}, '[]')
    assert.ok(status >= 500, status) // the tracker sends it again
  })

  /** Asks for an article while Readership starts, and while it is away. */
  const absent = async (t, change) => {
    const starting = createServer((req, res) => res.writeHead(503, { 'Retry-After': '1' }).end('the server is starting')).listen(0, '127.0.0.1')
    await once(starting, 'listening')
    t.after(() => starting.close())
    return Promise.all([starting.address().port, await freePort()].map(async (readership) => {
      const front = await begin({ ...ports, readership }, change)
      t.after(front.close)
      return get(front.port, '/articles/1', { 'X-Readership-Decision': 'allow', 'X-Readership-Reader': 'account:boss', X_Readership_Reader: 'account:boss' })
    }))
  }

  if (begin !== traefik)
    test(`${name}: articles are open while Readership starts or is away`, async (t) => {
      site.asked.length = 0
      for (const page of await absent(t)) {
        assert.equal(page.status, 200)
        assert.match(page.text, /The article at/)
      }
      assert.equal(site.asked.length, 2)
      for (const { headers } of site.asked) assert.doesNotMatch(JSON.stringify(headers), /boss/)
    })

  test(`${name}: articles are closed while Readership starts or is away, if its file is to close them`, async (t) => {
    for (const page of await absent(t, closed.get(begin))) {
      assert.ok(page.status >= 500, page.status)
      assert.doesNotMatch(page.text, /The article at/)
    }
  })
}

test('while the engine stands still the policy of the block answers behind every server', async (t) => {
  const { edge, engine, stop } = await apart({ trusted_proxies: ['127.0.0.1'], privacy: { without_consent: 'assume' } })
  t.after(stop)
  const behind = { ...ports, readership: Number(new URL(edge.url).port) }
  const open = await Promise.all(Object.entries(fronts).map(async ([name, begin]) => {
    const front = await begin(behind)
    t.after(front.close)
    return [name, front, `/articles/of-${begin.name}`]
  }))
  const ask = (front, path) => get(front.port, path, { 'User-Agent': agent })
  for (const [fails, status] of [['open', 200], ['closed', 403]]) {
    await engine.call('PUT', `/v1/sites/${SITE}/program`, { files: { main: `access story (counts: request, fails: ${fails}, deadline: 50ms) { ${fails === 'open' ? 'deny open offers plans' : 'allow closed'} }` } })
    await eventually(async () => { // the edge has the program, and the engine answers
      const { headers } = await get(behind.readership, `/v1/sites/${SITE}/auth?access=story`, { 'User-Agent': agent, 'X-Original-URI': '/articles/1' })
      return headers['x-readership-clause'] === fails && !headers['x-readership-fallback']
    })
    engine.pause()
    try {
      for (const [name, front, path] of open) {
        const page = await ask(front, path)
        assert.equal(page.status, status, `${name}, ${fails}`)
        assert.equal(/The article at/.test(page.text), fails === 'open', `${name}, ${fails}`)
      }
    } finally {
      engine.resume()
    }
  }
})
