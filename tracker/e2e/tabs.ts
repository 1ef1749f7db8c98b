// Chromium as people run it, whose tabs hide each other: Playwright's own launch
// tells every page that it is seen.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type BrowserContext, chromium } from '@playwright/test'
import { agent, arguments_ } from './newsroom'

export interface Tabs {
  context: BrowserContext
  /** Ends the browser as a crash does: no page hears of it. */
  crash: () => Promise<void>
  close: () => Promise<void>
}

export async function openTabs(): Promise<Tabs> {
  const profile = await mkdtemp(join(tmpdir(), 'readership-tabs-'))
  const child = spawn(process.env.CHROMIUM ?? '/usr/bin/chromium', [
    ...arguments_, '--headless', '--remote-debugging-port=0', '--no-first-run', `--user-data-dir=${profile}`, `--user-agent=${agent}`, '--window-size=1000,700', 'about:blank',
  ], { stdio: ['ignore', 'ignore', 'pipe'] })
  const browser = await chromium.connectOverCDP(await endpoint(child), { noDefaults: true })
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
  return {
    context: browser.contexts()[0]!,
    crash: () => end('SIGKILL'),
    close: async () => {
      await browser.close()
      await end('SIGTERM')
      await rm(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Where the browser says that it listens. */
async function endpoint({ stderr }: ChildProcess): Promise<string> {
  for await (const line of createInterface(stderr!)) {
    const found = /DevTools listening on (\S+)/.exec(line)
    if (found) {
      stderr!.resume()
      return found[1]!
    }
  }
  throw new Error('the browser did not start')
}
