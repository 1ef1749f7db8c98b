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

/** A bar from each instant to the next, with a gap where there is room for one. What is not zero is seen. */
export const bars: uPlot.Series.PathBuilder = (u, series, from, to) => {
  const [starts, values] = [u.data[0], u.data[series]]
  const place = (i: number) => Math.round(u.valToPos(starts[i] ?? 0, 'x', true))
  const base = Math.round(u.valToPos(0, 'y', true))
  const least = Math.round(devicePixelRatio)
  const [first = 0, last = 1] = [u.scales.x?.min, u.scales.x?.max]
  const shown = starts.filter((x) => x >= first && x < last).length
  const roomy = u.bbox.width / Math.max(1, shown) >= 3 * devicePixelRatio
  const fill = new Path2D()
  for (let i = from; i <= to; i++) {
    const value = values?.[i]
    if (value === null || value === undefined || value <= 0 || i + 1 >= starts.length) continue
    const [left, right] = [place(i), place(i + 1)]
    const gap = roomy ? Math.max(least, Math.round((right - left) * 0.18)) : 0
    const top = Math.min(base - least, Math.round(u.valToPos(value, 'y', true)))
    fill.rect(left, top, Math.max(least, right - left - gap), base - top)
  }
  return { fill, stroke: null }
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
