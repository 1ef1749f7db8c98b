import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import react from '@vitejs/plugin-react'
import { type Plugin, defineConfig } from 'vite'

// The server that `npm run dev` talks to.
const server = process.env.READERSHIP_URL ?? 'http://127.0.0.1:8080'

// The server sends NAME.gz where a browser takes it.
const packed: Plugin = {
  name: 'packed',
  apply: 'build',
  writeBundle: ({ dir = 'dist' }, bundle) => {
    for (const name of Object.keys(bundle).filter((n) => /\.(js|css)$/.test(n))) {
      writeFileSync(join(dir, `${name}.gz`), gzipSync(readFileSync(join(dir, name)), { level: 9 }))
    }
  },
}

export default defineConfig({
  plugins: [react(), packed],
  build: {
    target: 'es2022',
    emptyOutDir: false, // dist/.gitkeep stays; `npm run build` clears the rest first
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: Object.fromEntries(
      ['/v1', '/openapi', '/docs', '/readyz', '/healthz'].map((path) => [path, { target: server }]),
    ),
  },
})
