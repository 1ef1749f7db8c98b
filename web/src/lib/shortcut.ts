export type Shortcut = 'search' | 'help' | 'live' | 'audience' | 'program' | 'health' | 'settings'

const after: Record<string, Shortcut> = { l: 'live', a: 'audience', p: 'program', h: 'health', s: 'settings' }

/**
 * Reads keys one by one: `/`, `?`, and `g` with a letter within a second.
 * Times are in milliseconds.
 */
export function shortcutReader(): (key: string, time: number) => Shortcut | null {
  let g = -Infinity
  return (key, time) => {
    const second = time - g < 1000
    g = -Infinity
    if (second && key in after) return after[key] ?? null
    if (key === '/') return 'search'
    if (key === '?') return 'help'
    if (key === 'g') g = time
    return null
  }
}
