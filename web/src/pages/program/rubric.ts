import { HighlightStyle, StreamLanguage, type StringStream, syntaxHighlighting } from '@codemirror/language'
import { tags } from '@lezer/highlight'

/** Words that begin a declaration. */
export const declarations = ['let', 'segment', 'meter', 'access', 'metric', 'strategy', 'test', 'use'] as const
/** What every reader has, and the words between expressions. */
export const streams = ['events', 'all_events', 'burns', 'now'] as const
export const operators = ['if', 'then', 'else', 'and', 'or', 'not', 'in', 'has'] as const
/** What may stand behind |>. */
export const stages = ['where', 'last', 'since', 'per', 'from_first', 'distinct', 'by', 'then', 'unless', 'count', 'any', 'none', 'sum', 'avg', 'min', 'max', 'first', 'latest', 'boost', 'at_most', 'pin', 'take'] as const
/** Whose fields are asked for with a point. */
export const roots = ['item', 'reader', 'request', 'bot', 'properties'] as const
export const functions = ['lower', 'contains', 'starts_with', 'ends_with', 'matches', 'hour', 'weekday', 'size', 'min', 'max', 'arm'] as const

// Words that have their role in a kind of block only.
const inBlock: Record<string, ReadonlySet<string>> = {
  access: new Set(['allow', 'deny', 'charge', 'burns', 'price', 'offers']),
  test: new Set(['at', 'read', 'through', 'event', 'login', 'logout', 'expect', 'site', 'item', 'reader', 'allow', 'deny', 'charge']),
}

interface State {
  /** The brackets that are open, each with the word that stood before. */
  open: string[]
  /** The declaration that is being read. */
  declared: string
  /** The sign before; `a` is any word, `declared` one whose name comes next. */
  before: string
}

const isOneOf = (list: readonly string[], word: string) => list.includes(word)

function token(stream: StringStream, state: State): string | null {
  if (stream.eatSpace()) return null
  if (stream.match('--')) {
    stream.skipToEnd()
    return 'lineComment'
  }
  const before = state.before
  const is = (what: string, style: string | null) => {
    state.before = what
    return style
  }
  if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return is('"', 'string')
  if (stream.match(/^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?/)) return is('0', 'number')
  if (stream.match(/^\d+(?:\.\d+)?(?:ms|[smhdw])?(?![a-z0-9_])/)) return is('0', 'number')
  if (stream.match(/^[A-Z]{3}\b/)) return is('0', 'unit')
  const word = stream.match(/^[A-Za-z_][A-Za-z0-9_]*/)
  if (word && typeof word !== 'boolean') {
    const style = styleOfWord(word[0], before, state, stream)
    return is(style === 'definitionKeyword' && stream.match(/^\s+[a-z]/, false) ? 'declared' : 'a', style)
  }
  const sign = stream.match(/^(?:\|>|==|!=|<=|>=|\?\?|\.\.|&&|\|\||.)/u)
  const text = sign && typeof sign !== 'boolean' ? sign[0] : ''
  if (/^[([{]$/.test(text)) state.open.push(text === '{' && state.open.length === 0 ? state.declared : '')
  if (/^[)\]}]$/.test(text)) state.open.pop()
  return is(text, /^[()[\]{}]$/.test(text) ? 'bracket' : /^[.,:]$/.test(text) ? 'punctuation' : 'operator')
}

/** What a word is, from the sign before it and the block that it stands in. */
function styleOfWord(word: string, before: string, state: State, stream: StringStream): string | null {
  const block = state.open.at(-1) ?? ''
  if (before === '.') return 'propertyName'
  if (before === 'declared') return 'variableName.definition'
  if (before === '|>' && isOneOf(stages, word)) return 'keyword'
  if (isOneOf(declarations, word) && state.open.length === 0) {
    state.declared = word
    return 'definitionKeyword'
  }
  if (word === 'true' || word === 'false') return 'bool'
  if (isOneOf(operators, word) || word === 'within') return 'operatorKeyword'
  if (inBlock[block]?.has(word) && !stream.match(/^\s*\./, false)) return 'keyword'
  if (stream.match(/^\s*:/, false)) return 'attributeName'
  if (isOneOf(streams, word) || isOneOf(roots, word)) return 'variableName.standard'
  return stream.match(/^\s*\(/, false) ? 'variableName.function' : 'variableName'
}

/** Rubric, as far as colours and indentation need it; what is right and wrong the server says. */
export const rubric = StreamLanguage.define<State>({
  name: 'rubric',
  startState: () => ({ open: [], declared: '', before: '' }),
  copyState: (s) => ({ ...s, open: [...s.open] }),
  token,
  indent: (state, after, context) => {
    const closes = /^[)\]}]/.test(after) ? 1 : 0
    return Math.max(0, state.open.length - closes) * context.unit
  },
  languageData: {
    commentTokens: { line: '--' },
    closeBrackets: { brackets: ['(', '[', '{', '"'] },
    indentOnInput: /^\s*[)\]}]$/,
  },
})

/** The colours of words, from the page's tokens. */
export const colours = syntaxHighlighting(
  HighlightStyle.define([
    { tag: tags.definitionKeyword, color: 'var(--accent)', fontWeight: 'var(--strong)' },
    { tag: [tags.keyword, tags.operatorKeyword], color: 'var(--accent)' },
    { tag: tags.definition(tags.variableName), color: 'var(--ink)', fontWeight: 'var(--strong)' },
    { tag: tags.function(tags.variableName), color: 'var(--ink)' },
    { tag: [tags.string], color: 'var(--good)' },
    { tag: [tags.number, tags.bool, tags.unit], color: 'var(--contrast-ink)' },
    { tag: tags.lineComment, color: 'var(--ink-3)' },
    { tag: [tags.operator, tags.bracket, tags.punctuation], color: 'var(--ink-2)' },
  ]),
)
