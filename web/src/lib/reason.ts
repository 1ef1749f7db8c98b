import { type Key, useText } from '../i18n'
import { en } from '../i18n/en'
import { splitReason } from './ledger'

/** The word for a code, from the messages below a prefix; a code without one stands for itself. */
export function useWord(prefix: string): (code: string) => string {
  const t = useText()
  return (code) => {
    const key = `${prefix}.${code}`
    return key in en ? t(key as Key) : code.replaceAll('_', ' ')
  }
}

/** What foreign trackers are called. */
const dialects: Record<string, string> = {
  plausible: 'Plausible',
  umami: 'Umami',
  matomo: 'Matomo',
  segment: 'Segment',
  rudderstack: 'RudderStack',
  snowplow: 'Snowplow',
  posthog: 'PostHog',
  ga4: 'Google Analytics 4',
  gtag: 'gtag',
  cloudevents: 'CloudEvents',
}

export interface Explained {
  name: string
  /** What it means and what can be done, "" if there is nothing more to say. */
  why: string
}

/** A line of the ledger in words: what happened, and what it means. */
export function useReason(): (verdict: string, reason: string) => Explained {
  const t = useText()
  const verdictText = useWord('verdict')
  const robot = useWord('robot')
  const word = useWord('reason')
  return (verdict, reason) => {
    const { dialect, code } = splitReason(reason)
    const about = [`why.${verdict}.${code}`, `why.${code}`, `why.${verdict}`].find((key) => key in en)
    const why = about ? t(about as Key) : ''
    if (code === '') return { name: verdictText(verdict), why }
    const name = `${verdictText(verdict)}: ${verdict === 'bot' ? robot(code) : word(code)}`
    return { name: dialect === '' ? name : `${name} (${dialects[dialect] ?? dialect})`, why }
  }
}
