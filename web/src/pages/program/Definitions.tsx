import type { ProgramChecked, ProgramDefinition } from '../../api/types'
import { Empty, Panel, RowBones } from '../../components/Panel'
import { Ranking } from '../../components/Ranking'
import { useFormat, useMessages } from '../../i18n'
import type { Format } from '../../lib/format'
import { programMessages } from './words'

/** Nanoseconds as microseconds, with a digit behind the point where there are few. */
function micros(nanos: number, f: Format): string {
  if (nanos > 0 && nanos < 100) return `<\u2009${f.decimal(0.1)}`
  return nanos >= 10_000 ? f.number(nanos / 1000) : f.decimal(nanos / 1000)
}

export interface CostText {
  rows: string
  bytes: string
  micros: string
}

export function costText(d: Pick<ProgramDefinition, 'cost'>, f: Format): CostText {
  return { rows: f.short(d.cost?.rows ?? null), bytes: f.short(d.cost?.bytes_per_reader ?? null), micros: d.cost ? micros(d.cost.nanos_per_event, f) : '–' }
}

interface DefinitionsProps {
  checked: ProgramChecked | null
  /** Whether the text has changed since. */
  old: boolean
  onPick: (definition: ProgramDefinition) => void
}

/** What a program defines, with what each part costs; a click goes to it. */
export function Definitions({ checked, old, onPick }: DefinitionsProps) {
  const w = useMessages(programMessages)
  const f = useFormat()
  const most = Math.max(1, ...(checked?.definitions ?? []).map((d) => d.cost?.nanos_per_event ?? 0))
  const whole = checked && costText(checked, f)
  return (
    <Panel
      title={w('defines.title')}
      flush
      busy={old && checked !== null}
      foot={whole && <span>{w('defines.whole', { bytes: whole.bytes, micros: whole.micros })}</span>}
    >
      {!checked ? (
        old ? (
          <Empty title={w('defines.unknown')}>
            <p>{w('defines.unknown_about')}</p>
          </Empty>
        ) : (
          <div className="skeleton" aria-hidden="true">
            <RowBones rows={4} />
          </div>
        )
      ) : checked.definitions.length === 0 ? (
        <Empty title={w('defines.empty')}>
          <p>{w('defines.empty_about')}</p>
        </Empty>
      ) : (
        <Ranking
          label={w('defines.title')}
          nameOf={w('defines.name')}
          columns={[
            { id: 'rows', name: w('defines.rows'), width: 64 },
            { id: 'bytes', name: w('defines.bytes'), width: 72, secondary: true },
            { id: 'micros', name: w('defines.micros'), width: 72 },
          ]}
          pickTitle={w('defines.go')}
          onPick={(id) => {
            const picked = checked.definitions.find((d) => `${d.kind}/${d.name}` === id)
            if (picked) onPick(picked)
          }}
          rows={checked.definitions.map((d) => {
            const cost = costText(d, f)
            return { id: `${d.kind}/${d.name}`, name: d.name, note: w(`kind.${d.kind}`), share: (d.cost?.nanos_per_event ?? 0) / most, cells: [cost.rows, cost.bytes, cost.micros] }
          })}
        />
      )}
    </Panel>
  )
}
