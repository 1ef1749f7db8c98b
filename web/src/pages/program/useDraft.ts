import { useCallback, useEffect, useRef, useState } from 'react'
import { type Files, keepUnsaved, loadUnsaved, mainFile, sameFiles } from './draft'
import type { Version } from './queries'

export interface Draft {
  files: Files
  /** The file that is shown. */
  file: string
  /** The stored version that the text was begun from or stored as, and its text. */
  base: { version: number; files: Files }
  /** Changes whenever other files take the place of what was written. */
  loaded: number
  /** When what is shown was written and not stored, if it was kept from an earlier visit. */
  keptAt: number | null
}

export interface DraftChanges {
  write: (file: string, text: string) => void
  show: (file: string) => void
  /** Other files than before, not stored: one was added, renamed or deleted. */
  arrange: (files: Files, file: string) => void
  load: (version: Pick<Version, 'version' | 'files'>) => void
  /** These files are that version now. */
  stored: (files: Files, version: number) => void
}

/** What is being written, begun from the active program or from what was kept on this device. */
export function useDraft(site: string, active: Version): [Draft, DraftChanges] {
  const [draft, setDraft] = useState<Draft>(() => {
    const kept = loadUnsaved(site)
    const files = kept && !sameFiles(kept.files, active.files) ? kept.files : null
    return { files: files ?? active.files, file: mainFile, base: { version: files && kept ? kept.base : active.version, files: active.files }, loaded: 0, keptAt: files && kept ? kept.at : null }
  })
  const { files, base } = draft
  const unkept = useRef<(() => void) | null>(null) // what is still to be kept; who leaves does not wait
  useEffect(() => {
    const keep = () => {
      unkept.current = null
      keepUnsaved(site, sameFiles(files, base.files) ? null : { files, base: base.version, at: Date.now() })
    }
    unkept.current = keep
    const timer = setTimeout(keep, 300)
    return () => clearTimeout(timer)
  }, [site, files, base])
  useEffect(() => () => unkept.current?.(), [])

  const changes: DraftChanges = {
    write: useCallback((file, text) => setDraft((d) => ({ ...d, files: { ...d.files, [file]: text } })), []),
    show: useCallback((file) => setDraft((d) => ({ ...d, file })), []),
    arrange: useCallback((files, file) => setDraft((d) => ({ ...d, files, file })), []),
    load: useCallback(({ version, files }) => setDraft((d) => ({ files, file: mainFile, base: { version, files }, loaded: d.loaded + 1, keptAt: null })), []),
    stored: useCallback((files, version) => setDraft((d) => ({ ...d, base: { version, files }, keptAt: null })), []),
  }
  return [draft, changes]
}
