// The tracker of a page that carries Readership's tag.

import { type Command, command, run } from './run'
import { guard, tick } from './wall'

const page = window as unknown as { readership?: typeof command & { q?: Iterable<[Command, ...unknown[]]> } }

run(() => {
  const before = page.readership?.q ?? []
  page.readership = command
  for (const of of before) command(...of)
}, guard, tick)
