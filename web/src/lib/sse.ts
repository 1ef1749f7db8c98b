/** Server-sent events over fetch: comments count as signs of life too. */

export interface ServerEvent {
  id: string
  name: string
  data: string
}

/**
 * Reads a stream of events piece by piece. Pieces may end anywhere. Calls
 * onEvent for each complete event; a blank or a comment gives none.
 */
export function eventParser(onEvent: (event: ServerEvent) => void): (piece: string) => void {
  let rest = ''
  let id = ''
  let name = ''
  let data: string[] = []
  const line = (text: string) => {
    if (text === '') {
      if (data.length > 0) onEvent({ id, name: name || 'message', data: data.join('\n') })
      name = ''
      data = []
      return
    }
    const colon = text.indexOf(':')
    if (colon === 0) return
    const field = colon < 0 ? text : text.slice(0, colon)
    const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') data.push(value)
    else if (field === 'event') name = value
    else if (field === 'id') id = value
  }
  return (piece) => {
    // A CR at the end may be half of a CRLF, so it waits for the next piece.
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    lines.forEach(line)
  }
}

export type StreamState = 'connecting' | 'open' | 'stale'

interface StreamOptions {
  url: string
  onEvent: (event: ServerEvent) => void
  onState: (state: StreamState) => void
  /** Called with the status when the server refuses for good (4xx). */
  onRefused: (status: number) => void
  /** Silence after which the connection is given up; the server speaks every 15 s. */
  silenceMillis?: number
}

/** Follows a stream until the returned function is called. Reconnects by itself. */
export function follow({ url, onEvent, onState, onRefused, silenceMillis = 35_000 }: StreamOptions): () => void {
  const stopped = new AbortController()
  let last = ''
  let wait = 500

  const once = async () => {
    const connection = new AbortController()
    const stop = () => connection.abort()
    stopped.signal.addEventListener('abort', stop)
    let watch = setTimeout(stop, silenceMillis)
    try {
      const headers: Record<string, string> = { Accept: 'text/event-stream' }
      if (last !== '') headers['Last-Event-ID'] = last
      const response = await fetch(url, { headers, credentials: 'same-origin', cache: 'no-store', signal: connection.signal })
      if (!response.ok || !response.body) {
        if (response.status >= 400 && response.status < 500 && response.status !== 429) {
          stopped.abort()
          onRefused(response.status)
        }
        return
      }
      const parse = eventParser((event) => {
        if (event.id !== '') last = event.id
        onEvent(event)
      })
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        clearTimeout(watch)
        watch = setTimeout(stop, silenceMillis)
        wait = 500
        onState('open')
        parse(value)
      }
    } catch {
      // lost, or given up; the loop below connects again
    } finally {
      clearTimeout(watch)
      stopped.signal.removeEventListener('abort', stop)
    }
  }

  const run = async () => {
    onState('connecting')
    for (;;) {
      await once()
      if (stopped.signal.aborted) return
      onState('stale')
      await pause(wait * (0.75 + Math.random() / 2), stopped.signal)
      wait = Math.min(wait * 2, 15_000)
    }
  }
  void run()
  return () => stopped.abort()
}

function pause(millis: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, millis)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
