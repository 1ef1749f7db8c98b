import type { Failure } from '../../api/client'
import { Icon } from '../../components/Icon'
import { Modal } from '../../components/Modal'
import { useFormat, useMessages, useText } from '../../i18n'
import { failureText } from '../../lib/failure'
import { Changes } from './Changes'
import { type Declared, declaredIn } from './complete'
import type { Files } from './draft'
import { faultsOf } from './useCheck'
import { programMessages } from './words'
import type { Prediction } from './simulation'

interface ActivateDialogProps {
  active: { version: number; files: Files; storedBy: string }
  files: Files
  /** The stored version that it is the text of, if it is one that is gone back to. */
  version: number | null
  /** What a simulation of this very text against the active one has found. */
  prediction: Prediction | null
  busy: boolean
  failure: Failure | null
  onClose: () => void
  onActivate: () => void
}

/** Asks before readers are decided by another program, and says what changes. */
export function ActivateDialog({ active, files, version, prediction, busy, failure, onClose, onActivate }: ActivateDialogProps) {
  const w = useMessages(programMessages)
  const t = useText()
  const f = useFormat()
  const { added, gone } = newAndGone(active.files, files)
  const names = (list: Declared[]) => list.map((d) => `${w(`kind.${d.kind as 'segment'}`)} ${d.name}`).join(', ')
  const overtaken = failure?.kind === 'problem' && failure.status === 412
  return (
    <Modal open wide onClose={onClose} title={version === null ? w('activate.title') : w('activate.restore_title', { version })} about={w('activate.about')}>
      {overtaken && (
        <p className="notice" role="alert">
          <Icon name="warning" />
          {w('activate.overtaken', { version: active.version, who: active.storedBy || '–' })}
        </p>
      )}
      {failure && !overtaken && (
        <p className="notice notice-bad" role="alert">
          <Icon name="warning" />
          {faultsOf(failure) ? w('activate.refused', { n: faultsOf(failure)?.length ?? 0 }) : failureText(failure, t)}
        </p>
      )}
      <ul className="effects">
        {added.length > 0 && <li>{w('activate.added', { names: names(added) })}</li>}
        {gone.length > 0 && <li>{w('activate.gone', { names: names(gone) })}</li>}
        <li>
          {prediction
            ? w('activate.simulated', { denied: f.number(prediction.newlyDenied), allowed: f.number(prediction.noLongerDenied), access: prediction.access, range: prediction.range })
            : w('activate.not_simulated')}
        </li>
      </ul>
      <Changes before={active.files} after={files} />
      <div className="form-end">
        <button type="button" className="button button-main" disabled={busy} onClick={onActivate}>
          {version === null ? w('action.activate') : w('versions.restore')}
        </button>
        <button type="button" className="button button-plain" onClick={onClose}>
          {t('action.cancel')}
        </button>
      </div>
    </Modal>
  )
}

/** What readers, meters and measurements are told by name, from one program to another. */
function newAndGone(before: Files, after: Files): { added: Declared[]; gone: Declared[] } {
  const told = (files: Files) => declaredIn(files).filter((d) => d.kind !== 'let')
  const [old, now] = [told(before), told(after)]
  const within = (list: Declared[], d: Declared) => list.some((o) => o.kind === d.kind && o.name === d.name)
  return { added: now.filter((d) => !within(old, d)), gone: old.filter((d) => !within(now, d)) }
}
