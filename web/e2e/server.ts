import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Page, test as base } from '@playwright/test'

const binary = resolve(process.env.READERSHIP_BIN ?? '../bin/readership')

/** A running server with a data folder of its own. */
export interface Server {
  url: string
  /** Everything it has printed. */
  output: () => string
  stop: () => Promise<void>
}

/** Starts the real program; resolves when it is ready and its output holds `until`. */
export async function start(until: RegExp, ...flags: string[]): Promise<Server> {
  const data = await mkdtemp(join(tmpdir(), 'readership-e2e-'))
  const url = `http://127.0.0.1:${await freePort()}`
  const child = spawn(binary, ['serve', '--data', data, '--listen', url.slice(7), ...flags])
  let output = ''
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  child.once('error', (error) => (output += String(error)))
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (output += piece.toString()))
  const server: Server = { url, output: () => output, stop: () => end(child, ended, data) }
  const limit = Date.now() + 80_000
  while (!until.test(output) || !(await isReady(url))) {
    if (Date.now() > limit || child.exitCode !== null) {
      await server.stop()
      throw new Error(`the server did not start:\n${output}`)
    }
    await new Promise((next) => setTimeout(next, 100))
  }
  return server
}

async function end(child: ChildProcess, ended: Promise<void>, data: string): Promise<void> {
  if (child.exitCode === null && child.pid !== undefined) {
    child.kill('SIGTERM')
    await ended
  }
  await rm(data, { recursive: true, force: true })
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).ok
  } catch {
    return false
  }
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer()
    probe.once('error', fail)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => done(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** The sample newspaper, whose past is written, with somebody signed in. */
export interface Demo {
  url: string
  email: string
  password: string
}

export const test = base.extend<{ signedIn: Page }, { demo: Demo }>({
  demo: [
    // eslint-disable-next-line no-empty-pattern -- Playwright reads what a fixture needs from the pattern
    async ({}, provide) => {
      const server = await start(/past is written/, '--demo')
      const read = (name: string) => new RegExp(`${name}\\s+(\\S+)`).exec(server.output())?.[1] ?? ''
      await provide({ url: server.url, email: read('e-mail'), password: read('password') })
      await server.stop()
    },
    { scope: 'worker', timeout: 100_000 },
  ],
  signedIn: async ({ page, demo }, provide) => {
    const answer = await page.request.post(`${demo.url}/v1/sessions`, { data: { email: demo.email, password: demo.password } })
    if (!answer.ok()) throw new Error(`signing in: ${answer.status()}`)
    await provide(page)
  },
})

export { expect } from '@playwright/test'
