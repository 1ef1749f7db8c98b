import { splitForClip } from '../lib/format'

/** A text on one line; where there is no room its middle goes, not its end. */
export function Clip({ text, tail = 14 }: { text: string; tail?: number }) {
  const [head, end] = splitForClip(text, tail)
  return (
    <span className="clip" title={text}>
      <span>{head}</span>
      {end && <span>{end}</span>}
    </span>
  )
}
