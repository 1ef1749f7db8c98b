import type { Failure } from '../api/client'
import type { Text } from '../i18n'

/** What a failure means to the person who sees it. */
export function failureText(failure: Failure, t: Text): string {
  if (failure.kind !== 'problem') return t('failure.network')
  if (failure.status === 401) return t('failure.signed_out')
  if (failure.status === 403) return t('failure.forbidden')
  if (failure.status === 429 || failure.status === 503) return `${t('failure.busy')} (${failure.detail})`
  return failure.detail
}

/** The faults of a form's fields, by the last name of their location. */
export function faultsByField(failure: Failure | null): Record<string, string> {
  if (failure?.kind !== 'problem') return {}
  const faults: Record<string, string> = {}
  for (const { location, message } of failure.faults) {
    const field = (location ?? '').replace(/^body\./, '').replace(/\[\d+\].*$/, '')
    faults[field] ??= message
  }
  return faults
}
