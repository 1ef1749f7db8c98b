// Builds dist/rs.js and dist/script.js, each with a gzip and a Brotli copy
// beside it, and fails when one is larger than a page should have to load.
import { mkdir, writeFile } from 'node:fs/promises'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { minify } from 'terser'

/** What a script must stay under, gzipped, in bytes. */
const limit = 3 * 1024

const scripts = [
  { name: 'rs.js', entry: 'native', wire: 'wire' },
  { name: 'script.js', entry: 'plausible', wire: 'wire-plausible' },
]

await mkdir('dist', { recursive: true })
for (const { name, entry, wire } of scripts) {
  const { outputFiles } = await build({
    entryPoints: [`src/${entry}.ts`],
    alias: { '#wire': `./src/${wire}.ts` },
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2021',
    tsconfigRaw: {}, // without "use strict"
  })
  const small = await minify(outputFiles[0].text, { ecma: 2020, toplevel: true, mangle: true, compress: { ecma: 2020, passes: 3, hoist_props: true, unsafe_arrows: true } })
  // A word less for the compressor: nothing here depends on what is constant.
  const code = Buffer.from(small.code.replace(/\bconst\b/g, 'let'))
  const gzip = gzipSync(code, { level: 9 })
  const brotli = brotliCompressSync(code, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: code.length } })
  await writeFile(`dist/${name}`, code)
  await writeFile(`dist/${name}.gz`, gzip)
  await writeFile(`dist/${name}.br`, brotli)
  console.log(`${name}: ${code.length} bytes, ${gzip.length} gzipped, ${brotli.length} Brotli`)
  if (gzip.length >= limit) {
    console.error(`${name} has ${gzip.length} bytes gzipped; it must have less than ${limit}`)
    process.exitCode = 1
  }
}
