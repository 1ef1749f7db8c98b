// The built program on a free port, with a data folder and a site of its own.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const binary = resolve(process.env.READERSHIP_BIN ?? '../bin/readership')

/** The site of every test. Its pages are served by the harness (browser.js). */
export const SITE = 'news'
export const DOMAIN = 'news.example'

/**
 * Starts the program and makes the site.
 * @param {object} [settings] of the site, beside id and domains
 * @param {string[]} [flags] of the program
 */
export async function start(settings = {}, flags = []) {
  const data = await mkdtemp(join(tmpdir(), 'readership-clients-'))
  const url = `http://127.0.0.1:${await freePort()}`
  const root = randomBytes(16).toString('hex')
  const child = spawn(binary, ['serve', '--data', data, '--listen', url.slice(7), ...flags], { env: { ...process.env, READERSHIP_ROOT_KEY: root } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (output += piece))
  const ended = new Promise((done) => child.once('exit', done))
  child.once('error', (error) => (output += error))

  const stop = async () => {
    if (child.exitCode === null && child.pid !== undefined) {
      child.kill('SIGTERM')
      await ended
    }
    await rm(data, { recursive: true, force: true })
  }
  /** Calls the API with the root key; fails unless the answer is 2xx. */
  const call = async (method, path, body) => {
    const answer = await fetch(url + path, {
      method,
      headers: { Authorization: `Bearer ${root}`, 'Content-Type': 'application/json' },
      body: body && JSON.stringify(body),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text
  }
  try {
    const limit = Date.now() + 60_000
    while (!(await ready(url))) {
      if (Date.now() > limit || child.exitCode !== null) throw new Error('the program did not start')
      await pause(50)
    }
    const site = JSON.parse(await call('POST', '/v1/sites', { id: SITE, domains: [DOMAIN], timezone: 'UTC', ...settings }))
    return {
      url,
      key: site.write_key,
      call,
      stop,
      /** The stored rows, oldest first. */
      events: async () => {
        const text = await call('GET', `/v1/sites/${SITE}/events`)
        const rows = text.split('\n').filter(Boolean).map((line) => JSON.parse(line))
        return rows.sort((a, b) => a.time.localeCompare(b.time))
      },
      /** What the ledger counts, by verdict. */
      ledger: async () => JSON.parse(await call('GET', `/v1/sites/${SITE}/ledger`)),
    }
  } catch (error) {
    await stop()
    throw new Error(`${error.message}\n${output}`)
  }
}

async function ready(url) {
  try {
    return (await fetch(`${url}/readyz`)).ok
  } catch {
    return false
  }
}

/** A port that nobody listens on. */
export function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer()
    probe.once('error', fail)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => done(port))
    })
  })
}
