import { useMemo } from 'react'
import { type Format, formats } from '../lib/format'
import { localeOf, usePreferences } from '../state/preferences'
import { de } from './de'
import { type Key, en } from './en'

export type { Key } from './en'
export type Text = (key: Key, values?: Record<string, string | number>) => string

const messages = { en, de }

/** Fills the {names} of a message. */
export function fill(message: string, values: Record<string, string | number> = {}): string {
  return message.replace(/\{(\w+)\}/g, (all, name: string) => String(values[name] ?? all))
}

/** The messages of the chosen language. */
export function useText(): Text {
  const { language } = usePreferences()
  return useMemo(() => (key, values) => fill(messages[language][key], values), [language])
}

/** Numbers and dates as the chosen language writes them. */
export function useFormat(): Format {
  const { language } = usePreferences()
  return useMemo(() => formats(localeOf(language)), [language])
}
