/** Asks when what it is given has rested, and tells only the answer to the latest. */
export interface Latest<In> {
  put: (input: In) => void
  /** Forgets what waits and what is being asked. */
  stop: () => void
}

/** `ask` is not called before `rest` milliseconds without another input; its signal ends when its answer is no longer wanted. */
export function latest<In, Out>(ask: (input: In, signal: AbortSignal) => Promise<Out>, tell: (answer: Out, input: In) => void, rest: number): Latest<In> {
  let timer: ReturnType<typeof setTimeout> | undefined
  let asked: AbortController | undefined
  const stop = () => {
    clearTimeout(timer)
    asked?.abort()
  }
  const put = (input: In) => {
    stop()
    timer = setTimeout(() => {
      const mine = new AbortController()
      asked = mine
      void ask(input, mine.signal).then((answer) => {
        if (!mine.signal.aborted) tell(answer, input)
      })
    }, rest)
  }
  return { put, stop }
}
