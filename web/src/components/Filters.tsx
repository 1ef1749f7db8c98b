import { useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, useDeferredValue, useEffect, useId, useRef, useState } from 'react'
import { askQuery, itemSearchQuery, namesOf, namesQuestion, rankingQuestion } from '../api/queries'
import { useFormat, useText } from '../i18n'
import type { Key } from '../i18n'
import { type Filter, addFilter, encodeFilter } from '../lib/filters'
import type { Range } from '../lib/span'
import { useValueText } from '../lib/value'
import { Clip } from './Clip'
import { Icon } from './Icon'

const columnNames: Record<string, Key> = {
  item: 'column.item',
  title: 'column.title',
  path: 'column.path',
  url: 'column.url',
  section: 'column.section',
  referrer_host: 'column.referrer_host',
  entry_item: 'column.entry_item',
  channel: 'column.channel',
  country: 'column.country',
  device_class: 'column.device_class',
  browser: 'column.browser',
  os: 'column.os',
}

interface FilterChipsProps {
  site: string
  range: Range
  filters: Filter[]
  onChange: (filters: Filter[]) => void
}

/** The filters in force, each with a button that removes it. */
export function FilterChips({ site, range, filters, onChange }: FilterChipsProps) {
  const t = useText()
  const f = useFormat()
  const items = filters.filter((x) => x.column === 'item' || x.column === 'entry_item').flatMap((x) => x.values)
  const { data } = useQuery({ ...askQuery(site, namesQuestion(range, items)), enabled: items.length > 0 })
  const names = namesOf(data)
  const valueName = useValueText()
  const valueText = (filter: Filter, value: string) => {
    const item = filter.column === 'item' || filter.column === 'entry_item'
    return (item && names.get(value)?.title) || valueName(filter.column, value)
  }
  return (
    <>
      {filters.map((filter, i) => {
        const column = columnNames[filter.column]
        const name = column ? t(column) : filter.column
        const values = f.list(filter.values.map((v) => valueText(filter, v)))
        return (
          <span key={encodeFilter(filter)} className="chip" role="group" aria-label={t('filter.label')}>
            <span title={values}>
              {name} {t(`filter.${filter.operator}`)} <b>{values}</b>
            </span>
            <button type="button" className="icon-button" onClick={() => onChange(filters.filter((_, n) => n !== i))} aria-label={t('filter.remove', { name, values })}>
              <Icon name="close" size={14} />
            </button>
          </span>
        )
      })}
      {filters.length > 1 && (
        <button type="button" className="button button-plain" onClick={() => onChange([])}>
          {t('filter.clear')}
        </button>
      )}
    </>
  )
}

interface Suggestion {
  filter: Filter
  kind: string
  text: string
}

/** A field that finds articles, addresses and referrers to filter by. */
export function FilterSearch({ site, range, filters, onChange }: FilterChipsProps) {
  const t = useText()
  const id = useId()
  const input = useRef<HTMLInputElement>(null)
  const [text, setText] = useState('')
  const [open, setOpen] = useState(false)
  const [active, setActive] = useState(0)
  const sought = useDeferredValue(text.trim())
  const items = useQuery(itemSearchQuery(site, sought))
  const hosts = useQuery({
    ...askQuery(site, rankingQuestion({ range, filters: [{ operator: 'contains', column: 'referrer_host', values: [sought] }] }, 'referrer_host', ['page_views'], { by: 'page_views', direction: 'desc' }, 4)),
    enabled: sought !== '',
  })

  const suggestions: Suggestion[] = []
  if (sought !== '') {
    for (const item of items.data ?? []) {
      suggestions.push({ kind: t('column.item'), text: item.title ?? item.id, filter: { operator: 'is', column: 'item', values: [item.id] } })
    }
    for (const row of hosts.data?.results ?? []) {
      const host = row.dimensions[0] ?? ''
      if (host !== '(none)') suggestions.push({ kind: t('column.referrer_host'), text: host, filter: { operator: 'is', column: 'referrer_host', values: [host] } })
    }
    for (const [column, kind] of [['title', t('column.title')], ['path', t('column.path')]] as const) {
      suggestions.push({ kind, text: t('filter.contains_text', { text: sought }), filter: { operator: 'contains', column, values: [sought] } })
    }
  }
  const shown = open && suggestions.length > 0
  const selected = Math.min(active, suggestions.length - 1)

  const choose = (s: Suggestion) => {
    onChange(addFilter(filters, s.filter))
    setText('')
    setOpen(false)
  }
  const key = (event: KeyboardEvent) => {
    const chosen = suggestions[selected]
    if (event.key === 'Escape') {
      if (text === '') input.current?.blur()
      setText('')
      setOpen(false)
    } else if (event.key === 'ArrowDown') setActive(Math.min(selected + 1, suggestions.length - 1))
    else if (event.key === 'ArrowUp') setActive(Math.max(selected - 1, 0))
    else if (event.key === 'Enter' && shown && chosen) choose(chosen)
    else return
    event.preventDefault()
  }

  useEffect(() => {
    const focus = () => input.current?.focus()
    window.addEventListener('readership:search', focus)
    return () => window.removeEventListener('readership:search', focus)
  }, [])

  return (
    <div className="search" onBlur={(e) => !e.currentTarget.contains(e.relatedTarget) && setOpen(false)}>
      <Icon name="search" />
      <input
        ref={input}
        className="input"
        type="search"
        role="combobox"
        autoComplete="off"
        spellCheck={false}
        placeholder={t('filter.search')}
        aria-label={t('filter.search')}
        aria-expanded={shown}
        aria-controls={`${id}-list`}
        aria-activedescendant={shown ? `${id}-${selected}` : undefined}
        value={text}
        onFocus={() => setOpen(true)}
        onChange={(e) => {
          setText(e.target.value)
          setActive(0)
          setOpen(true)
        }}
        onKeyDown={key}
      />
      {text === '' && <kbd aria-hidden="true">/</kbd>}
      {shown && (
        <ul className="pop menu search-list" role="listbox" id={`${id}-list`} aria-label={t('filter.search')}>
          {suggestions.map((s, i) => (
            <li
              key={encodeFilter(s.filter)}
              id={`${id}-${i}`}
              role="option"
              aria-selected={i === selected}
              className="menu-item"
              onMouseEnter={() => setActive(i)}
              onMouseDown={(e) => {
                e.preventDefault()
                choose(s)
              }}
            >
              <Clip text={s.text} />
              <span className="end small">{s.kind}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
