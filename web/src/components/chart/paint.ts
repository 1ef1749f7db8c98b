import uPlot from 'uplot'

/** The colours of a chart, from the page's theme. */
export interface Colours {
  ink: string
  grid: string
  hatch: string
  now: string
  before: string
}

export function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element)
  const of = (name: string) => style.getPropertyValue(name).trim()
  return { ink: of('--ink-3'), grid: of('--line'), hatch: of('--line-strong'), now: of('--chart'), before: of('--contrast') }
}

const stepped = uPlot.paths.stepped?.({ align: 1 })
const bars = uPlot.paths.bars?.({ align: 1, size: [0.82, Infinity], radius: [0.04, 0] })

/** Bars where each has room for a gap, else their outline as one shape. */
export const barsOrShape: uPlot.Series.PathBuilder = (u, series, from, to) => {
  const [first = 0, last = 1] = [u.scales.x?.min, u.scales.x?.max]
  const shown = u.data[0].filter((x) => x >= first && x < last).length
  const roomy = u.bbox.width / devicePixelRatio / Math.max(1, shown) >= 3
  return (roomy ? bars : stepped)?.(u, series, from, to) ?? null
}

export const steps: uPlot.Series.PathBuilder = (u, series, from, to) => stepped?.(u, series, from, to) ?? null

/** Diagonal lines where nothing can be known. */
export function hatch(u: uPlot, gaps: readonly (readonly [number, number])[], colour: string): void {
  const { ctx, bbox } = u
  const step = 7 * devicePixelRatio
  ctx.save()
  ctx.strokeStyle = colour
  ctx.globalAlpha = 0.45
  ctx.lineWidth = devicePixelRatio
  for (const [from, to] of gaps) {
    const left = Math.max(bbox.left, u.valToPos(from, 'x', true))
    const right = Math.min(bbox.left + bbox.width, u.valToPos(to, 'x', true))
    if (right <= left) continue
    ctx.save()
    ctx.beginPath()
    ctx.rect(left, bbox.top, right - left, bbox.height)
    ctx.clip()
    ctx.beginPath()
    for (let x = Math.floor((left - bbox.height) / step) * step; x < right; x += step) {
      ctx.moveTo(x, bbox.top + bbox.height)
      ctx.lineTo(x + bbox.height, bbox.top)
    }
    ctx.stroke()
    ctx.restore()
  }
  ctx.restore()
}
