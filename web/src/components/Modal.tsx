import { Dialog } from 'radix-ui'
import type { ReactNode } from 'react'
import { useText } from '../i18n'
import { Icon } from './Icon'

interface ModalProps {
  open: boolean
  onClose: () => void
  title: string
  about?: ReactNode
  /** With room for texts of programs. */
  wide?: boolean
  children: ReactNode
}

/** A window over the page; Escape closes it, focus stays in it. */
export function Modal({ open, onClose, title, about, wide = false, children }: ModalProps) {
  const t = useText()
  return (
    <Dialog.Root open={open} onOpenChange={(o) => !o && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="veil" />
        <Dialog.Content className={`dialog${wide ? ' dialog-wide' : ''}`} {...(about ? {} : { 'aria-describedby': undefined })}>
          <div className="bar">
            <Dialog.Title className="dialog-title" style={{ flex: 1 }}>
              {title}
            </Dialog.Title>
            <Dialog.Close className="icon-button" aria-label={t('action.close')}>
              <Icon name="close" />
            </Dialog.Close>
          </div>
          {about && <Dialog.Description>{about}</Dialog.Description>}
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
