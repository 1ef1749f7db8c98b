import { failureOf } from '../api/client'
import { useText } from '../i18n'
import { failureText } from '../lib/failure'
import { Modal } from './Modal'

interface ConfirmProps {
  open: boolean
  title: string
  about: string
  action: string
  error: unknown
  onClose: () => void
  onConfirm: () => void
}

/** Asks before what cannot be undone. */
export function Confirm({ open, title, about, action, error, onClose, onConfirm }: ConfirmProps) {
  const t = useText()
  return (
    <Modal open={open} onClose={onClose} title={title} about={about}>
      {error !== null && error !== undefined && (
        <p className="field-fault" role="alert">
          {failureText(failureOf(error), t)}
        </p>
      )}
      <div className="form-end">
        <button type="button" className="button button-danger" onClick={onConfirm}>
          {action}
        </button>
        <button type="button" className="button button-plain" onClick={onClose}>
          {t('action.cancel')}
        </button>
      </div>
    </Modal>
  )
}
