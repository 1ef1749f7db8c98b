import { useMemo } from 'react'
import { type Format, formats } from '../lib/format'
import { type Language, localeOf, usePreferences } from '../state/preferences'
import { de } from './de'
import { type Key, en } from './en'

export type { Key } from './en'
type Values = Record<string, string | number>
export type Text = (key: Key, values?: Values) => string

/** Messages by key, in every language. */
export type Messages<K extends string> = Record<Language, Record<K, string>>

const messages: Messages<Key> = { en, de }

/** Fills the {names} of a message. */
export function fill(message: string, values: Values = {}): string {
  return message.replace(/\{(\w+)\}/g, (all, name: string) => String(values[name] ?? all))
}

/** The messages of the chosen language. */
export const useText = (): Text => useMessages(messages)

/** The same of a page that brings its own messages. */
export function useMessages<K extends string>(of: Messages<K>): (key: K, values?: Values) => string {
  const { language } = usePreferences()
  return useMemo(() => (key: K, values?: Values) => fill(of[language][key], values), [of, language])
}

/** Numbers and dates as the chosen language writes them. */
export function useFormat(): Format {
  const { language } = usePreferences()
  return useMemo(() => formats(localeOf(language)), [language])
}
