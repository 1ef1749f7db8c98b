// What stands before a publisher's site: the files of deploy/ as they are, but for the
// ports and their patience with a busy machine, and an origin behind them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fetch, Miniflare, Request, Response } from 'miniflare'
import { DOMAIN, freePort } from './server.js'

/** Serves articles, with `head` in their heads, and remembers what it was asked. `said` are further headers. */
export async function origin(head = '', said = {}) {
  const asked = []
  const server = http.createServer((req, res) => {
    asked.push({ url: req.url, headers: req.headers })
    const told = Object.entries(req.headers).filter(([name]) => name.startsWith('x-readership-'))
    res
      .writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'public, max-age=600', 'Set-Cookie': 'cms=1; Path=/', ...said })
      .end(`<!doctype html><html lang="en"><head><title>Article</title>${head}</head><body><h1>The article at ${req.url}</h1><pre id="told">${JSON.stringify(Object.fromEntries(told))}</pre></body></html>`)
  })
  server.keepAliveTimeout = 0 // a busy machine's timers come late, while the next request is on its way
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: server.address().port,
    asked,
    close: () => {
      server.closeAllConnections()
      return new Promise((done) => server.close(done))
    },
  }
}

/** A file of deploy/ with `to` for each `from`. */
async function snippet(name, ...changes) {
  let text = await readFile(new URL(`../../deploy/${name}`, import.meta.url), 'utf8')
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`${name} does not say ${from}`)
    text = text.replaceAll(from, to)
  }
  return text
}

/** The ports of Readership and the origin, as most files say them. */
const behind = (ports) => [['127.0.0.1:8080', `127.0.0.1:${ports.readership}`], ['127.0.0.1:3000', `127.0.0.1:${ports.origin}`]]

/** Runs a server until it takes connections. */
async function run(port, dir, program, args) {
  const child = spawn(program, args, { cwd: dir, env: { ...process.env, HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => (output += piece))
  const ended = new Promise((done) => child.once('exit', done))
  child.once('error', (error) => (output += error))
  const close = async () => {
    if (child.exitCode === null && child.pid !== undefined) {
      child.kill('SIGTERM')
      await ended
    }
    await rm(dir, { recursive: true, force: true })
  }
  const limit = Date.now() + 30_000
  while (!(await listens(port))) {
    if (Date.now() > limit || child.exitCode !== null) {
      await close()
      throw new Error(`${program} did not start\n${output}`)
    }
    await pause(50)
  }
  return { port, close }
}

function listens(port) {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => socket.destroy(done(true)))
    socket.once('error', () => done(false))
  })
}

const folder = (name) => mkdtemp(join(tmpdir(), `readership-${name}-`))

/** nginx with deploy/nginx/readership.conf. */
export async function nginx(ports, change = (text) => text) {
  const dir = await folder('nginx')
  const port = await freePort()
  await writeFile(join(dir, 'readership.conf'), change(await snippet('nginx/readership.conf', ...behind(ports), ['listen 80;', `listen 127.0.0.1:${port};`], ['proxy_read_timeout    1s', 'proxy_read_timeout 20s'])))
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`).join(' ')
  await writeFile(join(dir, 'nginx.conf'), `daemon off; user root; worker_processes 1; pid ${dir}/pid; error_log stderr warn; events {} http { access_log off; ${paths} include ${dir}/readership.conf; }`)
  return run(port, dir, 'nginx', ['-p', dir, '-e', 'stderr', '-c', join(dir, 'nginx.conf')])
}

/** Caddy with deploy/caddy/Caddyfile. */
export async function caddy(ports, change = (text) => text) {
  const dir = await folder('caddy')
  const port = await freePort()
  const text = await snippet('caddy/Caddyfile', ...behind(ports), ['http://news.example {', `http://news.example:${port} {`])
  await writeFile(join(dir, 'Caddyfile'), `{\n\tadmin off\n}\n${change(text)}`)
  return run(port, dir, 'caddy', ['run', '--adapter', 'caddyfile', '--config', join(dir, 'Caddyfile')])
}

/** Varnish with deploy/varnish/readership.vcl, compiled in a hurry. */
export async function varnish(ports, change = (text) => text) {
  const dir = await folder('varnish')
  const port = await freePort()
  const backends = [['"127.0.0.1"; .port = "8080"', `"127.0.0.1"; .port = "${ports.readership}"`], ['"127.0.0.1"; .port = "3000"', `"127.0.0.1"; .port = "${ports.origin}"`]]
  await writeFile(join(dir, 'readership.vcl'), change(await snippet('varnish/readership.vcl', ...backends, ['first_byte_timeout = 1s', 'first_byte_timeout = 20s'])))
  return run(port, dir, 'varnishd', ['-F', '-j', 'none', '-n', dir, '-f', join(dir, 'readership.vcl'), '-a', `127.0.0.1:${port}`, '-s', 'malloc,32m', '-p', 'cc_command=exec gcc -O0 -w -pthread -fpic -shared -o %o %s'])
}

/** Traefik, whose program TRAEFIK names, with deploy/traefik/readership.yml. */
export async function traefik(ports) {
  const dir = await folder('traefik')
  const port = await freePort()
  await writeFile(join(dir, 'readership.yml'), await snippet('traefik/readership.yml', ...behind(ports)))
  const server = await run(port, dir, process.env.TRAEFIK, [`--entrypoints.web.address=127.0.0.1:${port}`, `--providers.file.filename=${dir}/readership.yml`, '--providers.file.watch=false', '--global.checknewversion=false'])
  while ((await get(port, '/')).status === 404) await pause(20) // it listens before it has read its file
  return server
}

/** The runtime of Cloudflare's Workers with deploy/cloudflare/worker.js on a route of the site. */
export async function worker(ports, change = (text) => text) {
  const script = change(await snippet('cloudflare/worker.js', ['http://127.0.0.1:8080', `http://127.0.0.1:${ports.readership}`], ['timeout(1000)', 'timeout(20_000)']))
  const runtime = new Miniflare({
    modules: true,
    script,
    compatibilityDate: '2026-04-01',
    host: '127.0.0.1',
    port: 0,
    // What a Worker asks of its own zone goes to the zone's origin.
    outboundService: (request) => {
      const url = new URL(request.url)
      if (url.hostname === DOMAIN) Object.assign(url, { hostname: '127.0.0.1', port: ports.origin })
      return fetch(new Request(url, request), { redirect: 'manual' }).catch(() => new Response(null, { status: 521 })) // as Cloudflare answers for it
    },
  })
  const { port } = await runtime.ready
  return { port: Number(port), close: () => runtime.dispose() }
}

/** Asks a server of this machine for a page of the site; a body is sent by POST. */
export function get(port, path, headers = {}, body = undefined, method = body === undefined ? 'GET' : 'POST') {
  return new Promise((done, fail) => {
    const req = http.request({ host: '127.0.0.1', port, path, method, headers: { Host: 'news.example', ...headers } }, (res) => {
      let text = ''
      res.on('data', (piece) => (text += piece))
      res.on('end', () => done({ status: res.statusCode, headers: res.headers, text }))
    })
    req.once('error', fail)
    req.end(body)
  })
}
