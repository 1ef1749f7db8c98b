import { useText } from '../i18n'
import type { Key } from '../i18n'
import { Modal } from './Modal'

const list: [string[], Key][] = [
  [['/'], 'keys.search'],
  [['g', 'l'], 'keys.live'],
  [['g', 'a'], 'keys.audience'],
  [['g', 'p'], 'keys.program'],
  [['g', 'h'], 'keys.health'],
  [['g', 's'], 'keys.settings'],
  [['↑', '↓'], 'keys.rows'],
  [['↵'], 'keys.enter'],
  [['←', '→'], 'keys.chart'],
  [['Esc'], 'keys.escape'],
  [['?'], 'keys.help'],
]

/** All keys and what they do. */
export function Shortcuts({ open, onClose }: { open: boolean; onClose: () => void }) {
  const t = useText()
  return (
    <Modal open={open} onClose={onClose} title={t('nav.shortcuts')}>
      <dl className="keys">
        {list.map(([keys, what]) => (
          <div key={what} style={{ display: 'contents' }}>
            <dt>
              {keys.map((k) => (
                <kbd key={k}>{k}</kbd>
              ))}
            </dt>
            <dd>{t(what)}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  )
}
