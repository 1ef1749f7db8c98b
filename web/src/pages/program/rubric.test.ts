import { highlightTree, tagHighlighter, tags } from '@lezer/highlight'
import { describe, expect, it } from 'vitest'
import { rubric } from './rubric'

const classes = tagHighlighter([
  { tag: tags.definitionKeyword, class: 'declares' },
  { tag: tags.keyword, class: 'keyword' },
  { tag: tags.operatorKeyword, class: 'operator' },
  { tag: tags.definition(tags.variableName), class: 'declared' },
  { tag: tags.propertyName, class: 'field' },
  { tag: tags.string, class: 'text' },
  { tag: tags.number, class: 'number' },
  { tag: tags.unit, class: 'currency' },
  { tag: tags.lineComment, class: 'comment' },
])

/** The words of a kind. */
function words(text: string): Record<string, string[]> {
  const found: Record<string, string[]> = {}
  highlightTree(rubric.parser.parse(text), classes, (from, to, name) => (found[name] ??= []).push(text.slice(from, to)))
  return found
}

describe('the highlighter', () => {
  it('tells declarations, their names, stages and fields', () => {
    const found = words('segment fan = events |> where item.section == "sport" |> last 14d |> count >= 5 -- many')
    expect(found).toMatchObject({
      declares: ['segment'],
      declared: ['fan'],
      keyword: ['where', 'last', 'count'],
      field: ['section'],
      text: ['"sport"'],
      number: ['14d', '5'],
      comment: ['-- many'],
    })
  })
  it('knows words that have a role in one place only', () => {
    const found = words('access story (fails: open) {\n  allow where if item in monthly price 0.002 EUR\n}\nlet allow = count')
    expect(found['keyword']).toEqual(['allow', 'price'])
    expect(found['declared']).toEqual(['story', 'allow'])
    expect(found['currency']).toEqual(['EUR'])
  })
  it('reads times, texts with escapes and tests', () => {
    const found = words('test "a \\" b" {\n  item a1..a6 { kind: "article" }\n  at 2026-03-01T10:00 expect story(a1) == allow again\n}')
    expect(found['text']).toEqual(['"a \\" b"', '"article"'])
    expect(found['number']).toEqual(['2026-03-01T10:00'])
    expect(found['keyword']).toEqual(['item', 'at', 'expect', 'allow'])
  })
})
