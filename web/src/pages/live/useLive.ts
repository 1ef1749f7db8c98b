import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { sitePath } from '../../api/client'
import type { Live } from '../../api/types'
import { type StreamState, follow } from '../../lib/sse'

export interface LiveFeed {
  live: Live | null
  state: StreamState
  /** The status with which the server refused, or 0. */
  refused: number
  /** Readers at each second since the page was opened, five minutes at most. */
  history: readonly number[]
  /** Readers by article, every 5 s of the last minute, oldest first. */
  past: readonly { at: number; readers: Map<string, number> }[]
}

interface Following extends LiveFeed {
  /** Connects anew, now. */
  retry: () => void
}

const kept = 300
const nothing: LiveFeed = { live: null, state: 'connecting', refused: 0, history: [], past: [] }

/** Adds what is read now to what was, at most every 5 s, and forgets what is older than a minute. */
function remember(past: LiveFeed['past'], live: Live): LiveFeed['past'] {
  const at = Date.parse(live.as_of)
  const young = past.filter((p) => at - p.at <= 60_000)
  if (at - (young.at(-1)?.at ?? -Infinity) < 5000) return young
  return [...young, { at, readers: new Map(live.items.map((i) => [i.item, i.readers])) }]
}

/** How many readers each article has more than a minute ago, or since the page was opened. */
export function trendOf(live: Live, past: LiveFeed['past']): Map<string, number> {
  const then = past[0]?.readers
  return new Map(live.items.map((i) => [i.item, then ? i.readers - (then.get(i.item) ?? 0) : 0]))
}

/** Follows who reads a site now. */
export function useLive(site: string): Following {
  const client = useQueryClient()
  const [feed, setFeed] = useState(nothing)
  const [tries, setTries] = useState(0)
  useEffect(() => {
    setFeed(nothing)
    const stop = follow({
      url: sitePath(site, 'live'),
      onEvent: (event) => {
        if (event.name !== 'result') return
        const live = JSON.parse(event.data) as Live
        setFeed((old) => ({ ...old, live, past: remember(old.past, live), history: old.history.length === 0 ? [live.readers] : old.history }))
      },
      onState: (state) => setFeed((old) => ({ ...old, state })),
      onRefused: (status) => {
        setFeed((old) => ({ ...old, state: 'stale', refused: status }))
        if (status === 401) void client.invalidateQueries({ queryKey: ['session'] })
      },
    })
    const tick = setInterval(
      () => setFeed((old) => (old.live && old.state === 'open' ? { ...old, history: [...old.history, old.live.readers].slice(-kept) } : old)),
      1000,
    )
    return () => {
      clearInterval(tick)
      stop()
    }
  }, [site, client, tries])
  return { ...feed, retry: () => setTries((n) => n + 1) }
}
