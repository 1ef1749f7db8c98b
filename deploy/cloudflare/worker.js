// A Cloudflare Worker asks Readership before it serves an article, which Cloudflare
// keeps whole: the cache has the page, Readership has the verdict for each reader.
//
// Change what is yours: the five lines below. The Worker runs on the route
// news.example/* of your zone (on workers.dev nothing is cached), Readership at an
// address that the Worker does not serve. Articles are kept as long as the CMS says in
// Cache-Control. The site's trusted_proxies have to name Cloudflare's networks.
//
// Say `counts: request` in the access block: the Worker cannot tell Readership that a
// page was shown. With `counts: rendered` a page counts when the tracker, served from
// below, sees it; of readers without consent none does, since a page that is kept for
// all cannot say whose decision it is.
//
// The CMS is asked once for all readers: without their cookies, and told nothing but
// that the page may be read.

const readership = 'http://127.0.0.1:8080'
const auth = '/v1/sites/news/auth?access=story&mode=forward'
const articles = /^\/articles\//
const tracker = /^\/_readership(\/(rs\.js|v1\/events|v1\/pixel\.gif|v1\/sites\/news\/decisions(\/[\w.-]+\/commit)?))$/
const open = true // what articles are when Readership itself is away, or starting; if false they answer 503

// What origins may read as the address of an article, and the line above does not: dots,
// two slashes, parameters, and letters, digits or slashes that are encoded before its
// folder ends.
const ambiguous = [/([/\\]|%2f|%5c)(\.|%2e){1,2}([/\\;]|%2f|%5c|$)/i, /\/\//, /^\/[^/]*([;\\]|%2[def]|%3[0-9b]|%[4-7][0-9a-f])/i]

// Of the verdict; some origins take an underscore for a dash. The CMS believes what they
// say, so none comes from outside.
const ours = /^x[-_]readership[-_](decision|clause|offer|meter|decision[-_]id|reader|segments|fallback|counts)$/i

export default {
  async fetch(request, env, ctx) {
    const [, path] = /^\w+:\/\/[^/?]*([^?]*)/.exec(request.url) // as it was written
    if (ambiguous.some((pattern) => pattern.test(path))) return new Response(null, { status: 400 })
    const url = new URL(request.url)
    const headers = new Headers([...request.headers].filter(([name]) => !ours.test(name)))

    // The tracker and what it sends, on the site's own host: page views come with the
    // cookie that decisions go by, and are of the same device. In the pages:
    // <script defer src="/_readership/rs.js" data-site="news" data-key="WRITE_KEY"></script>
    const [, call] = tracker.exec(url.pathname) ?? []
    if (call) return send(request, url, headers, call)

    // Articles, and nothing else: pictures, scripts and front pages do not count.
    if (!articles.test(url.pathname)) return fetch(new Request(request, { headers }))
    const verdict = await ask(request, url, headers)
    if (!verdict && !open) return new Response('The article cannot be shown just now.', { status: 503 })
    if (verdict && verdict.status !== 200) return wall(verdict)
    return article(request, url, headers, verdict, ctx)
  },
}

/** What Readership says of a reader and a page; undefined while it is away, or starting. */
async function ask(request, url, from) {
  const headers = introduced(request, url, from)
  for (const name of ['Content-Length', 'Content-Type', 'X-Original-URI']) headers.delete(name)
  headers.set('X-Forwarded-Host', url.host)
  headers.set('X-Forwarded-Uri', url.pathname + url.search)
  try {
    const verdict = await fetch(readership + auth, { headers, redirect: 'manual', signal: AbortSignal.timeout(1000) })
    if (verdict.status < 500) return verdict
    await verdict.body?.cancel()
  } catch {
    // it cannot be reached, or is slow
  }
}

/** Passes on what the tracker sends; while Readership is away it is told to send it again. */
async function send(request, url, headers, call) {
  try {
    return await fetch(readership + call + url.search, { method: request.method, headers: introduced(request, url, headers), body: request.body })
  } catch {
    return new Response(null, { status: 502 })
  }
}

/** Headers that say for whom the Worker asks. */
function introduced(request, url, from) {
  const headers = new Headers(from)
  headers.set('X-Forwarded-For', request.headers.get('CF-Connecting-IP'))
  headers.set('X-Forwarded-Proto', url.protocol.slice(0, -1))
  return headers
}

/** The offer's page, 402 with a price for crawlers, or a redirect. */
function wall(verdict) {
  const answer = new Response(verdict.body, verdict)
  answer.headers.delete('X-Readership-Reader') // the reader need not know
  answer.headers.delete('X-Readership-Segments')
  return answer
}

/** A page that may be read, with the reader's cookie; no cache but ours may keep it. */
async function article(request, url, headers, verdict, ctx) {
  if (verdict) headers.set('X-Readership-Decision', verdict.headers.get('X-Readership-Decision'))
  const read = request.method === 'GET' || request.method === 'HEAD'
  const kept = read ? await whole(url, headers, ctx) : await fetch(new Request(request, { headers }))
  const answer = new Response(kept.body, kept)
  answer.headers.set('Cache-Control', 'private, no-cache')
  for (const cookie of verdict?.headers.getSetCookie() ?? []) answer.headers.append('Set-Cookie', cookie)
  return answer
}

/** A page from the cache, else from the CMS: the same for everybody who may read it. */
async function whole(url, headers, ctx) {
  const kept = await caches.default.match(url)
  if (kept) return kept
  for (const name of ['Cookie', 'Authorization', 'Range', 'If-Range', 'If-Match', 'If-None-Match', 'If-Modified-Since', 'If-Unmodified-Since']) headers.delete(name)
  const answer = await fetch(url, { headers, redirect: 'manual' })
  const fresh = new Response(answer.body, answer)
  fresh.headers.delete('Set-Cookie') // a page with a cookie is kept for nobody
  if (fresh.status === 200 && forAll(fresh.headers)) ctx.waitUntil(caches.default.put(url, fresh.clone()))
  return fresh
}

/** Whether the CMS lets a page be kept for everybody. */
function forAll(headers) {
  const vary = (headers.get('Vary') ?? '').toLowerCase().split(',').map((name) => name.trim())
  return !/private|no-cache|no-store/i.test(headers.get('Cache-Control') ?? '') && vary.every((name) => ['', 'accept-encoding', 'cookie'].includes(name))
}
