import { ToggleGroup } from 'radix-ui'
import type { ReactNode } from 'react'

interface ChoiceProps<T extends string> {
  label: string
  value: T
  options: { value: T; name: ReactNode; disabled?: boolean; title?: string }[]
  onChange: (value: T) => void
}

/** One of few, all of them seen. */
export function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>) {
  return (
    <ToggleGroup.Root type="single" className="choice" aria-label={label} value={value} onValueChange={(v) => v !== '' && onChange(v as T)}>
      {options.map((o) => (
        <ToggleGroup.Item key={o.value} value={o.value} disabled={o.disabled ?? false} title={o.title}>
          {o.name}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  )
}
