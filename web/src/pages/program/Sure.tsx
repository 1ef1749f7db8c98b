import { Modal } from '../../components/Modal'
import { useText } from '../../i18n'

interface SureProps {
  open: boolean
  title: string
  about: string
  action: string
  /** What not doing it is called; Cancel by default. */
  stay?: string
  onClose: () => void
  onSure: () => void
}

/** Asks before something of one's own is let go. */
export function Sure({ open, title, about, action, stay, onClose, onSure }: SureProps) {
  const t = useText()
  return (
    <Modal open={open} onClose={onClose} title={title} about={about}>
      <div className="form-end">
        <button type="button" className="button button-danger" onClick={onSure}>
          {action}
        </button>
        <button type="button" className="button button-plain" onClick={onClose}>
          {stay ?? t('action.cancel')}
        </button>
      </div>
    </Modal>
  )
}
