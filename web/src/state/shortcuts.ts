import { useEffect } from 'react'
import { type Shortcut, shortcutReader } from '../lib/shortcut'

/** Listens for shortcuts while nobody writes into a field. */
export function useShortcuts(onShortcut: (what: Shortcut) => void): void {
  useEffect(() => {
    const read = shortcutReader()
    const listen = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement
      const writes = target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName)
      if (writes || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('[role=dialog], [role=menu]')) return
      const what = read(event.key, event.timeStamp)
      if (what === null) return
      event.preventDefault()
      onShortcut(what)
    }
    document.addEventListener('keydown', listen)
    return () => document.removeEventListener('keydown', listen)
  }, [onShortcut])
}
