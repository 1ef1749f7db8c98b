import { Popover } from 'radix-ui'
import { useState } from 'react'
import { useFormat, useText } from '../i18n'
import { type Range, type Span, isPreset, presets, spanOfDays } from '../lib/span'
import { Calendar } from './Calendar'
import { Icon } from './Icon'

interface SpanPickerProps {
  span: Span
  range: Range
  now: number
  min: number
  zone: string
  weekStart: number
  onChange: (span: Span) => void
}

/** The time that a page is about: presets, and a calendar for any days. */
export function SpanPicker({ span, range, now, min, zone, weekStart, onChange }: SpanPickerProps) {
  const t = useText()
  const f = useFormat()
  const [open, setOpen] = useState(false)
  const choose = (chosen: Span) => {
    onChange(chosen)
    setOpen(false)
  }
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger className="button" aria-label={t('span.choose')}>
        <Icon name="calendar" />
        {isPreset(span) ? t(`span.${span}`) : f.range(range.from, range.to, zone)}
        <Icon name="down" size={12} />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="pop span-pop" align="end" sideOffset={6} collisionPadding={12}>
          <div className="menu span-presets">
            {presets.map((p) => (
              <button key={p} type="button" className="menu-item" aria-current={p === span || undefined} onClick={() => choose(p)}>
                {t(`span.${p}`)}
                {p === span && (
                  <span className="end">
                    <Icon name="check" />
                  </span>
                )}
              </button>
            ))}
          </div>
          <Calendar zone={zone} now={now} min={min} range={range} weekStart={weekStart} onChoose={(from, to) => choose(spanOfDays(from, to, zone))} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  )
}
