import { useFormat, useText } from '../i18n'

/** A relative change with an arrow; the colour only repeats what the arrow says. */
export function Change({ change, fallsWell = false }: { change: number | null; fallsWell?: boolean }) {
  const f = useFormat()
  const t = useText()
  if (change === null) return <span className="change">&nbsp;</span>
  const text = f.change(change)
  const still = !/[1-9]/.test(text)
  const up = change > 0
  return (
    <span className="change" data-mood={still ? undefined : up !== fallsWell ? 'good' : 'bad'}>
      {!still && (
        <svg width="10" height="10" viewBox="0 0 10 10" fill="currentColor" aria-hidden="true">
          <path d={up ? 'M5 1.5 9 8H1z' : 'M5 8.5 1 2h8z'} />
        </svg>
      )}
      {text}
      <span className="hidden"> {t('compare.than_before')}</span>
    </span>
  )
}
