import { useState } from 'react'
import { useText } from '../i18n'
import { Icon } from './Icon'

/** A piece of code with a button that copies it. */
export function Snippet({ code, label }: { code: string; label: string }) {
  const t = useText()
  const [copied, setCopied] = useState(false)
  const copy = async () => {
    await copyText(code)
    setCopied(true)
    setTimeout(() => setCopied(false), 2000)
  }
  return (
    <div className="snippet">
      <pre tabIndex={0} aria-label={label}>
        <code>{code}</code>
      </pre>
      <button type="button" className="icon-button" onClick={() => void copy()} aria-label={t('action.copy')} title={t('action.copy')}>
        <Icon name={copied ? 'check' : 'copy'} />
      </button>
      <span className="hidden" role="status">
        {copied ? t('action.copied') : ''}
      </span>
    </div>
  )
}

/** Copies a text; also where there is no clipboard for want of TLS. */
async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    const area = document.createElement('textarea')
    area.value = text
    area.style.position = 'fixed'
    area.style.opacity = '0'
    document.body.append(area)
    area.select()
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way on plain http
    document.execCommand('copy')
    area.remove()
  }
}
