import type { UseQueryResult } from '@tanstack/react-query'
import { type ReactNode, useId } from 'react'
import { failureOf } from '../api/client'
import { useText } from '../i18n'
import { failureText } from '../lib/failure'
import { Icon } from './Icon'

interface PanelProps {
  title: ReactNode
  /** Beside the title, at the other end. */
  actions?: ReactNode
  /** When and where the numbers are true. */
  foot?: ReactNode
  flush?: boolean
  busy?: boolean
  children: ReactNode
}

export function Panel({ title, actions, foot, flush = false, busy = false, children }: PanelProps) {
  const id = useId()
  return (
    <section className="panel" aria-labelledby={id}>
      <div className="panel-head">
        <div>
          <h2 id={id}>{title}</h2>
        </div>
        {actions}
      </div>
      <div className={`panel-body${flush ? ' panel-flush' : ''}${busy ? ' busy' : ''}`} aria-busy={busy}>
        {children}
      </div>
      {foot && <div className="panel-foot">{foot}</div>}
    </section>
  )
}

interface StatesProps<T> {
  query: UseQueryResult<T>
  /** The shape that the data will have; not shown before 300 ms. */
  skeleton: ReactNode
  isEmpty?: (data: T) => boolean
  empty?: ReactNode
  children: (data: T) => ReactNode
}

/** Loading, empty, failing or data; never a blank box. */
export function States<T>({ query, skeleton, isEmpty, empty, children }: StatesProps<T>) {
  if (query.data !== undefined) return <>{isEmpty?.(query.data) ? empty : children(query.data)}</>
  if (query.isError) return <Failing error={query.error} retry={() => void query.refetch()} />
  return (
    <div className="skeleton" aria-hidden="true">
      {skeleton}
    </div>
  )
}

/** What happened, and a way to try again. */
export function Failing({ error, retry }: { error: unknown; retry?: () => void }) {
  const t = useText()
  return (
    <div className="state state-failing" role="alert">
      <div>
        <h3>{t('state.failed')}</h3>
        <p>{failureText(failureOf(error), t)}</p>
      </div>
      {retry && (
        <button type="button" className="button" onClick={retry}>
          {t('action.retry')}
        </button>
      )}
    </div>
  )
}

/** What would be here, and how to fill it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="state">
      <h3>{title}</h3>
      {children}
    </div>
  )
}

/** Says that what is shown could not be brought up to date. */
export function StaleMark({ query }: { query: UseQueryResult }) {
  const t = useText()
  if (!query.isRefetchError) return null
  return (
    <button type="button" className="button button-plain" onClick={() => void query.refetch()} title={failureText(failureOf(query.error), t)}>
      <Icon name="warning" />
      {t('state.stale')}
    </button>
  )
}

/** Grey lines in the place of rows to come. */
export function RowBones({ rows = 8 }: { rows?: number }) {
  return (
    <div style={{ padding: '0 16px' }}>
      {Array.from({ length: rows }, (_, i) => (
        <span key={i} className="bone" style={{ height: 20, margin: '16px 0', width: `${92 - i * 7}%` }} />
      ))}
    </div>
  )
}
