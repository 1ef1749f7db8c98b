import type { ProgramSchema } from '../../api/types'
import { type Files } from './draft'
import { declarations, functions, operators, roots, stages, streams } from './rubric'

export interface Suggestion {
  label: string
  /** What it is, for its mark: keyword, function, variable, property, text. */
  type: 'keyword' | 'function' | 'variable' | 'property' | 'text'
  /** Such as its type. */
  detail?: string
}

export interface Suggestions {
  /** Where what they complete begins, from the start of the text. */
  from: number
  list: Suggestion[]
}

/** A declaration of a program and where it stands. */
export interface Declared {
  kind: string
  name: string
  file: string
  line: number
  column: number
  takes: boolean // whether it is a function
}

/** The names that a program declares, read without a checker: it may be half written. */
export function declaredIn(files: Files): Declared[] {
  return Object.entries(files).flatMap(([file, text]) =>
    text.split('\n').flatMap((line, i) => {
      const match = /^(\s*(let|segment|meter|access|metric|strategy)\s+)([a-z][a-z0-9_]*)(\s*\()?/.exec(line)
      if (!match) return []
      const [, lead = '', kind = '', name = '', bracket] = match
      return [{ kind, name, file, line: i + 1, column: lead.length + 1, takes: kind === 'let' && bracket !== undefined }]
    }),
  )
}

const meterFields = ['used', 'left', 'limit', 'resets_at']
const ofReader: Suggestion[] = [
  { label: 'registered', type: 'property', detail: 'boolean' },
  { label: 'entitled', type: 'function', detail: '(name)' },
  { label: 'entitled_by', type: 'function', detail: '(name)' },
  { label: 'traits', type: 'property' },
  { label: 'first_seen', type: 'property', detail: 'time' },
]
const ofRequest = ['url', 'host', 'path', 'referrer', 'referrer_host', 'channel', 'utm_source', 'utm_medium', 'utm_campaign', 'country', 'region', 'city', 'language', 'device_class', 'browser', 'os']
const words = (list: readonly string[], type: Suggestion['type'], detail?: string): Suggestion[] => list.map((label) => ({ label, type, ...(detail ? { detail } : {}) }))

type Named = ProgramSchema['columns'][number]
const properties = (list: readonly Named[]): Suggestion[] => list.map((n) => ({ label: n.name, type: 'property', detail: n.type }))

/**
 * What may come next in a text that is written up to here; null where nothing
 * is known to fit. A schema that is not there yet leaves out what it would say.
 */
export function suggest(before: string, files: Files, schema: ProgramSchema | undefined): Suggestions | null {
  const line = before.slice(before.lastIndexOf('\n') + 1)
  const inText = quotedPart(line)
  if (inText === 'comment') return null
  if (inText !== null) {
    const from = before.length - inText.length
    const list = valuesFor(line.slice(0, line.length - inText.length - 1), schema)
    return list.length > 0 ? { from, list: words(list, 'text') } : null
  }
  const part = /[a-z_][a-z0-9_]*$/.exec(line)?.[0] ?? ''
  const from = before.length - part.length
  const lead = line.slice(0, line.length - part.length)
  const own = declaredIn(files)
  const owner = /([a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*)\.$/.exec(lead)?.[1]
  if (owner !== undefined) return { from, list: fieldsOf(owner, own, schema) }
  const lets = own.filter((d) => d.kind === 'let')
  const [functionsOf, valuesOf] = [lets.filter((d) => d.takes), lets.filter((d) => !d.takes)]
  if (/\|>\s*$/.test(before.slice(0, from))) {
    return { from, list: [...words(stages, 'keyword'), ...words(functionsOf.map((d) => d.name), 'function', 'let')] }
  }
  if (/\bper\s+$/.test(lead)) return { from, list: words(['day', 'week', 'month'], 'keyword') }
  const names = own.filter((d) => ['segment', 'meter', 'access'].includes(d.kind))
  return {
    from,
    list: [
      ...names.map((d) => ({ label: d.name, type: 'variable' as const, detail: d.kind })),
      ...valuesOf.map((d) => ({ label: d.name, type: 'variable' as const, detail: 'let' })),
      ...words(functionsOf.map((d) => d.name), 'function', 'let'),
      ...words([...streams, ...roots], 'variable'),
      ...properties(schema?.columns ?? []),
      ...words(functions, 'function'),
      ...words(lead.trim() === '' ? [...declarations, 'allow', 'deny', 'charge', ...operators] : operators, 'keyword'),
    ],
  }
}

/** The part of a text literal that the end of a line stands in; null outside of one. */
function quotedPart(line: string): string | null {
  let start = -1
  for (let i = 0; i < line.length; i++) {
    if (start >= 0 && line[i] === '\\') i++
    else if (line[i] === '"') start = start < 0 ? i : -1
    else if (start < 0 && line.startsWith('--', i)) return 'comment'
  }
  return start < 0 ? null : line.slice(start + 1)
}

/** The values that a text may have that is compared with what stands before it. */
function valuesFor(lead: string, schema: ProgramSchema | undefined): string[] {
  if (!schema) return []
  if (/\bentitled(?:_by)?\(\s*$/.test(lead)) return schema.entitlements
  const match = /([a-z_][a-z0-9_.]*)\s*(?:==|!=|\bin\s*\[(?:\s*"(?:[^"\\]|\\.)*"\s*,)*)\s*$/.exec(lead)
  const path = match?.[1] ?? ''
  const dot = path.lastIndexOf('.')
  const [owner, name] = [path.slice(0, Math.max(0, dot)), path.slice(dot + 1)]
  return listOf(owner, schema).find((n) => n.name === name)?.values ?? []
}

function listOf(owner: string, schema: ProgramSchema): readonly Named[] {
  switch (owner) {
    case '':
    case 'request':
      return schema.columns
    case 'bot':
      return schema.columns.filter((n) => n.name.startsWith('bot_')).map((n) => ({ ...n, name: n.name.slice('bot_'.length) }))
    case 'item':
    case 'request.item':
      return [...schema.items, ...schema.attributes]
    case 'item.attributes':
      return schema.attributes
    case 'properties':
      return schema.properties
    case 'reader.traits':
      return schema.traits
    default:
      return []
  }
}

function fieldsOf(owner: string, own: readonly Declared[], schema: ProgramSchema | undefined): Suggestion[] {
  if (own.some((d) => d.kind === 'meter' && d.name === owner)) return words(meterFields, 'property')
  switch (owner) {
    case 'reader':
      return ofReader
    case 'bot':
      return words(['verified', 'class', 'operator'], 'property')
    case 'request':
      return [...words(['item', 'preview', 'gift', 'newsletter'], 'property'), ...properties((schema?.columns ?? []).filter((n) => ofRequest.includes(n.name)))]
    default:
      return schema ? properties(listOf(owner, schema)) : []
  }
}
