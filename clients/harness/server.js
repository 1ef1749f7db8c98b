// The built program on a free port, with a data folder and a site of its own.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

const binary = resolve(process.env.READERSHIP_BIN ?? '../bin/readership')
const natsServer = resolve('../bin/nats-server')

/** The site of every test. Its pages are served by the harness (browser.js). */
export const SITE = 'news'
export const DOMAIN = 'news.example'

/**
 * Starts the program and makes the site.
 * @param {object} [settings] of the site, beside id and domains
 * @param {string[]} [flags] of the program
 */
export async function start(settings = {}, flags = []) {
  const server = await launch(flags)
  try {
    await server.ready()
    return await furnish(server, settings)
  } catch (error) {
    await server.stop()
    throw error
  }
}

/**
 * Starts the program as two processes on a nats-server, and makes the site. The engine's
 * can be stood still.
 * @param {object} [settings] of the site, beside id and domains
 */
export async function apart(settings = {}) {
  const running = []
  const stop = async () => {
    for (const one of running.reverse()) await one.stop()
  }
  try {
    const port = await freePort()
    const nats = await spawned(natsServer, async (dir) => {
      const file = join(dir, 'nats.conf')
      await writeFile(file, `listen: "127.0.0.1:${port}"\nmax_payload: 8MB\njetstream { store_dir: "${dir}", sync_interval: always }\n`)
      return ['-c', file]
    })
    running.push(nats)
    await nats.until(() => nats.output().includes('Server is ready'))
    const env = { READERSHIP_NATS_URL: `nats://127.0.0.1:${port}`, READERSHIP_ROOT_KEY: randomBytes(16).toString('hex') }
    const edge = await launch(['--role', 'edge'], env)
    running.push(edge)
    const engine = await launch(['--role', 'engine,api,worker'], env)
    running.push(engine)
    await Promise.all([edge.ready(), engine.ready()])
    await furnish(engine, settings)
    return { edge, engine, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Runs the program on a free port. */
async function launch(flags, env = { READERSHIP_ROOT_KEY: randomBytes(16).toString('hex') }) {
  const url = `http://127.0.0.1:${await freePort()}`
  const server = await spawned(binary, (dir) => ['serve', '--data', dir, '--listen', url.slice(7), ...flags], env)
  return {
    ...server,
    url,
    ready: () => server.until(() => ready(url)),
    /** Calls the API with the root key; fails unless the answer is 2xx. */
    call: async (method, path, body) => {
      const answer = await fetch(url + path, {
        method,
        headers: { Authorization: `Bearer ${env.READERSHIP_ROOT_KEY}`, 'Content-Type': 'application/json' },
        body: body && JSON.stringify(body),
      })
      const text = await answer.text()
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
      return text
    },
  }
}

/** Runs a program with a data folder of its own. */
async function spawned(program, args, env = {}) {
  const data = await mkdtemp(join(tmpdir(), 'readership-clients-'))
  const child = spawn(program, await args(data), { env: { ...process.env, ...env } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (output += piece))
  const ended = new Promise((done) => child.once('exit', done))
  child.once('error', (error) => (output += error))
  return {
    output: () => output,
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    stop: async () => {
      if (child.exitCode === null && child.pid !== undefined) {
        child.kill('SIGTERM')
        await ended
      }
      await rm(data, { recursive: true, force: true })
    },
    /** Waits until the program has come so far. */
    until: async (condition) => {
      for (const limit = Date.now() + 60_000; !(await condition()); await pause(50))
        if (Date.now() > limit || child.exitCode !== null) throw new Error(`${program} did not start\n${output}`)
    },
  }
}

/** Makes the site of a server. */
async function furnish(server, settings) {
  const site = JSON.parse(await server.call('POST', '/v1/sites', { id: SITE, domains: [DOMAIN], timezone: 'UTC', ...settings }))
  return {
    url: server.url,
    key: site.write_key,
    call: server.call,
    stop: server.stop,
    /** The stored rows, oldest first. */
    events: async () => {
      const text = await server.call('GET', `/v1/sites/${SITE}/events`)
      const rows = text.split('\n').filter(Boolean).map((line) => JSON.parse(line))
      return rows.sort((a, b) => a.time.localeCompare(b.time))
    },
    /** What the ledger counts, by verdict. */
    ledger: async () => JSON.parse(await server.call('GET', `/v1/sites/${SITE}/ledger`)),
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
