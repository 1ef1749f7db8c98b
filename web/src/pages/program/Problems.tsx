import type { ProgramFault } from '../../api/types'
import { Icon } from '../../components/Icon'
import { useMessages } from '../../i18n'
import type { Jump } from './Editor'
import { programMessages } from './words'

/** What the server found, in order of places; each goes to its own. */
export function Problems({ faults, several, onJump }: { faults: readonly ProgramFault[]; several: boolean; onJump: (jump: Jump) => void }) {
  const w = useMessages(programMessages)
  if (faults.length === 0) return null
  return (
    <ul className="problems" aria-label={w('problems.label')}>
      {faults.map((f, i) => (
        <li key={`${f.location}/${f.code}/${i}`}>
          <button type="button" className="problem" data-severity={f.severity} onClick={() => onJump({ ...f })}>
            <Icon name={f.severity === 'error' ? 'error' : 'warning'} />
            <span className="problem-text">
              <span className="hidden">{w(f.severity === 'error' ? 'problems.error' : 'problems.warning')}: </span>
              <Prose text={f.message} />
              {f.hint && (
                <span className="muted">
                  {' '}
                  <Prose text={f.hint} />
                </span>
              )}
            </span>
            <span className="small muted digits problem-place">
              {several ? `${f.file} ` : ''}
              {w('problems.place', { line: f.line, column: f.column })}
            </span>
          </button>
        </li>
      ))}
    </ul>
  )
}

/** A sentence with its code in backquotes. */
export function Prose({ text }: { text: string }) {
  return text.split('`').map((part, i) => (i % 2 === 1 ? <code key={i}>{part}</code> : part))
}
