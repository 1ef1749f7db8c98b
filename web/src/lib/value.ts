import { useFormat, useText } from '../i18n'
import { useWord } from './reason'

/** What a value of a column is called, where it has a name of its own; item names are the caller's. */
export function useValueText(): (column: string, value: string) => string {
  const t = useText()
  const f = useFormat()
  const channel = useWord('channel')
  const device = useWord('device_class')
  return (column, value) => {
    if (value === '(none)') return t(column === 'referrer_host' ? 'value.direct' : 'value.none')
    switch (column) {
      case 'channel':
        return channel(value)
      case 'country':
        return f.country(value)
      case 'device_class':
        return device(value)
    }
    return value
  }
}
