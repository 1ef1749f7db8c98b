import { describe, expect, it } from 'vitest'
import type { ProgramSchema } from '../../api/types'
import { declaredIn, suggest } from './complete'

const named = (name: string, ...values: string[]) => ({ name, type: 'text' as const, values })
const schema: ProgramSchema = {
  timezone: 'UTC',
  week_start: 'monday',
  window: '30d',
  columns: [named('type', 'page_view', 'click'), named('country', 'DE'), named('bot_class', 'ai_training')],
  properties: [named('button', 'top')],
  items: [named('section', 'sport', 'politics')],
  attributes: [named('dossier', 'funds')],
  traits: [named('plan', 'gold')],
  entitlements: ['premium'],
  complete: true,
  segments: [],
  meters: [],
  access: [],
  metrics: [],
}
const files = { main: 'let reads = events\nlet sport(rows) = rows\n  segment fan = reads |> any\nmeter monthly (limit: 5) = burns', shared: 'access story {' }

const labels = (before: string) => suggest(before, files, schema)?.list.map((s) => s.label) ?? []

it('finds the names of a program and where they stand', () => {
  expect(declaredIn(files).map((d) => `${d.file}:${d.line}:${d.column} ${d.kind} ${d.name}${d.takes ? '()' : ''}`)).toEqual([
    'main:1:5 let reads',
    'main:2:5 let sport()',
    'main:3:11 segment fan',
    'main:4:7 meter monthly',
    'shared:1:8 access story',
  ])
})

describe('what may come next', () => {
  it('is a stage or a function behind |>', () => {
    expect(labels('segment a = reads |> ')).toEqual(expect.arrayContaining(['where', 'distinct', 'sport']))
    expect(labels('segment a = reads\n  |> wh')).not.toContain('reads')
  })
  it('is a field of what stands before the point', () => {
    expect(labels('where item.')).toEqual(['section', 'dossier'])
    expect(labels('allow a if request.item.s')).toEqual(['section', 'dossier'])
    expect(labels('if reader.traits.')).toEqual(['plan'])
    expect(labels('if monthly.')).toEqual(['used', 'left', 'limit', 'resets_at'])
    expect(labels('where properties.b')).toEqual(['button'])
    expect(labels('if reader.')).toContain('entitled')
    expect(labels('1.')).toEqual(expect.arrayContaining(['events'])) // no field of a number
  })
  it('is a value of what is compared', () => {
    expect(labels('where item.section == "')).toEqual(['sport', 'politics'])
    expect(labels('where type in ["page_view", "cl')).toEqual(['page_view', 'click'])
    expect(labels('if bot.class != "')).toEqual(['ai_training'])
    expect(labels('if reader.entitled("')).toEqual(['premium'])
    expect(labels('test "')).toEqual([])
  })
  it('is a name of the program, a column or a word elsewhere', () => {
    expect(labels('segment b = f')).toEqual(expect.arrayContaining(['fan', 'reads', 'country', 'not']))
    expect(labels('segment b = f')).not.toContain('segment')
    expect(labels('seg')).toContain('segment')
  })
  it('is nothing in a comment', () => {
    expect(suggest('let a = "--" -- se', files, schema)).toBeNull()
    expect(suggest('let a = "-- se', files, schema)).toBeNull()
  })
  it('begins where the word does', () => {
    expect(suggest('a\nwhere item.sec', files, schema)?.from).toBe(13)
    expect(suggest('where item.section == "sp', files, schema)?.from).toBe(23)
  })
  it('does without a schema', () => {
    expect(suggest('where item.', files, undefined)?.list).toEqual([])
    expect(suggest('segment b = f', files, undefined)?.list.map((s) => s.label)).toContain('fan')
  })
})
