import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// The server that `npm run dev` talks to.
const server = process.env.READERSHIP_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [react()],
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
