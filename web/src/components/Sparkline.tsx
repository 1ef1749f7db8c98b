/** A small line from zero; gaps stay gaps. For the eye only. */
export function Sparkline({ values, main = false }: { values: readonly (number | null)[]; main?: boolean }) {
  const max = Math.max(1e-9, ...values.map((v) => v ?? 0))
  const last = Math.max(1, values.length - 1)
  let pen = 'M'
  const path = values
    .map((v, i) => {
      if (v === null) {
        pen = 'M'
        return ''
      }
      const point = `${pen}${((i / last) * 100).toFixed(2)} ${(27 - (v / max) * 25).toFixed(2)}`
      pen = 'L'
      return point
    })
    .join('')
  return (
    <svg className={`spark${main ? ' spark-main' : ''}`} viewBox="0 0 100 28" preserveAspectRatio="none" aria-hidden="true">
      <path d={path} />
    </svg>
  )
}
