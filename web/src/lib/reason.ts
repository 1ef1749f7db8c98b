import { type Key, useText } from '../i18n'
import { en } from '../i18n/en'

/** The name of a channel; one without a word for it stands for itself. */
export function useChannelText(): (channel: string) => string {
  const t = useText()
  return (channel) => (`channel.${channel}` in en ? t(`channel.${channel}` as Key) : channel)
}

/** Words for a line of the ledger; codes that have none stand for themselves. */
export function useReasonText(): (verdict: string, reason: string) => string {
  const t = useText()
  const word = (prefix: string, code: string) => {
    const key = `${prefix}.${code}`
    return key in en ? t(key as Key) : code.replaceAll('_', ' ')
  }
  return (verdict, reason) => (reason === '' ? word('verdict', verdict) : `${word('verdict', verdict)}: ${word('reason', reason)}`)
}
