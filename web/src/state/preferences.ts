import { useSyncExternalStore } from 'react'

export type Theme = 'system' | 'light' | 'dark'
export type Language = 'en' | 'de'
export type Density = 'comfortable' | 'compact'

/** What a person prefers on this device. */
export interface Preferences {
  theme: Theme
  language: Language
  density: Density
}

const key = 'readership.preferences' // public/theme.js reads it too

function load(): Preferences {
  const preferred = navigator.languages.find((l) => /^(en|de)\b/.test(l)) ?? 'en'
  const defaults: Preferences = { theme: 'system', language: preferred.startsWith('de') ? 'de' : 'en', density: 'comfortable' }
  try {
    return { ...defaults, ...(JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<Preferences>) }
  } catch {
    return defaults
  }
}

let current = load()
const listeners = new Set<() => void>()

function apply() {
  const root = document.documentElement
  if (current.theme === 'system') delete root.dataset.theme
  else root.dataset.theme = current.theme
  root.dataset.density = current.density
  root.lang = current.language
}
apply()

export function setPreferences(change: Partial<Preferences>): void {
  current = { ...current, ...change }
  try {
    localStorage.setItem(key, JSON.stringify(current))
  } catch {
    // holds until the page is left
  }
  apply()
  listeners.forEach((listener) => listener())
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => current,
  )
}

/** The locale for numbers and dates: the browser's, if it is of the language. */
export const localeOf = (language: Language): string =>
  navigator.languages.find((l) => l.startsWith(language)) ?? (language === 'en' ? 'en-GB' : 'de')

const darkSystem = window.matchMedia('(prefers-color-scheme: dark)')

/** Whether the page is dark now; follows the system where it should. */
export function useDark(): boolean {
  const { theme } = usePreferences()
  const system = useSyncExternalStore(
    (listener) => {
      darkSystem.addEventListener('change', listener)
      return () => darkSystem.removeEventListener('change', listener)
    },
    () => darkSystem.matches,
  )
  return theme === 'system' ? system : theme === 'dark'
}
