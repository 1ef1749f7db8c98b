// A witness between a client and the program: it passes every request on,
// byte for byte, and keeps what was asked and what was answered.
import { EventEmitter, once } from 'node:events'
import http from 'node:http'
import { gunzipSync } from 'node:zlib'

/**
 * One request and its answer.
 * @typedef {{method: string, path: string, headers: object, body: Buffer, status: number, answer: Buffer, answered: object}} Exchange
 */

/** Listens in front of `target`, the URL of the program. */
export async function record(target) {
  /** @type {Exchange[]} */
  const exchanges = []
  const news = new EventEmitter()
  const server = http.createServer(async (req, res) => {
    const exchange = { method: req.method, path: req.url, headers: req.headers, body: await read(req) }
    try {
      const answer = await pass(target, exchange)
      exchange.status = answer.statusCode
      exchange.answered = answer.headers
      exchange.answer = await read(answer)
      exchanges.push(exchange)
      res.writeHead(answer.statusCode, answer.headers).end(exchange.answer)
    } catch (error) {
      exchanges.push({ ...exchange, status: 0, answer: Buffer.from(String(error)), answered: {} })
      res.destroy()
    }
    news.emit('exchange')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    exchanges,
    /** Waits until `condition`, which is given the exchanges, holds. */
    async until(condition, what = 'requests') {
      const signal = AbortSignal.timeout(60_000)
      while (!condition(exchanges)) {
        await once(news, 'exchange', { signal }).catch(() => {
          throw new Error(`waited in vain for ${what}; seen:\n${describe(exchanges)}`)
        })
      }
    },
    /** Sends an exchange's request again; resolves to the new exchange. */
    async again(exchange) {
      const answer = await pass(target, exchange)
      return { ...exchange, status: answer.statusCode, answered: answer.headers, answer: await read(answer) }
    },
    close: () => {
      server.closeAllConnections()
      return new Promise((done) => server.close(done))
    },
  }
}

/** The exchanges as lines, for messages. */
export const describe = (exchanges) =>
  exchanges.map((e) => `${e.method} ${e.path} → ${e.status} ${e.answered['x-readership-verdict'] ?? ''} ${e.answer.subarray(0, 300)}`).join('\n')

/** A body as text: decompressed, and of a form what `data` holds in base64. */
export function bodyText({ body }) {
  const text = (body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body) : body).toString()
  return text.startsWith('data=') ? Buffer.from(new URLSearchParams(text).get('data'), 'base64').toString() : text
}

async function pass(target, { method, path, headers, body }) {
  const request = http.request(target + path, { method, headers })
  request.end(body)
  const [answer] = await once(request, 'response')
  return answer
}

async function read(stream) {
  const pieces = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces)
}
