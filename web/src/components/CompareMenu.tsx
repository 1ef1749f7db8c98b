import { DropdownMenu } from 'radix-ui'
import { useText } from '../i18n'
import { type Compare, comparisons } from '../lib/span'
import { Icon } from './Icon'

/** What the numbers are compared with. */
export function CompareMenu({ compare, onChange }: { compare: Compare; onChange: (compare: Compare) => void }) {
  const t = useText()
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger className="button" aria-label={t('compare.choose')}>
        {t(`compare.${compare}`)}
        <Icon name="down" size={12} />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="pop menu" align="end" sideOffset={6} collisionPadding={12}>
          <DropdownMenu.RadioGroup value={compare} onValueChange={(v) => onChange(v as Compare)}>
            {comparisons.map((c) => (
              <DropdownMenu.RadioItem key={c} value={c} className="menu-item">
                {t(`compare.${c}`)}
                <DropdownMenu.ItemIndicator className="end">
                  <Icon name="check" />
                </DropdownMenu.ItemIndicator>
              </DropdownMenu.RadioItem>
            ))}
          </DropdownMenu.RadioGroup>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}
