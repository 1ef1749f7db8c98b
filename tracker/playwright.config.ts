import { defineConfig } from '@playwright/test'

// A real server (READERSHIP_BIN, by default ../bin/readership) and the system's Chromium.
export default defineConfig({
  testDir: 'e2e',
  testMatch: process.env.BENCH ? '*.bench.ts' : '*.spec.ts',
  workers: 1,
  timeout: process.env.BENCH ? 300_000 : 60_000,
  expect: { timeout: 15_000 },
  reporter: 'list',
  forbidOnly: process.env.CI !== undefined,
})
