/** The files of a program, by name; it begins in `main`. */
export type Files = Record<string, string>

export const mainFile = 'main'

/** Names in order: main first, as the program begins there. */
export const namesOf = (files: Files): string[] => Object.keys(files).sort((a, b) => Number(b === mainFile) - Number(a === mainFile) || a.localeCompare(b))

/** Texts as the editor holds them: every line ends with one line feed. */
export const plain = (files: Files): Files => Object.fromEntries(Object.entries(files).map(([name, text]) => [name, text.replace(/\r\n?/g, '\n')]))

export const sameFiles = (a: Files, b: Files): boolean => changedFiles(a, b).length === 0

export interface ChangedFile {
  name: string
  kind: 'added' | 'removed' | 'changed'
  before: string
  after: string
}

/** What differs from one program to another, in order of names. */
export function changedFiles(before: Files, after: Files): ChangedFile[] {
  return namesOf({ ...before, ...after }).flatMap((name) => {
    const [old, now] = [before[name], after[name]]
    if (old === now) return []
    return [{ name, kind: old === undefined ? 'added' : now === undefined ? 'removed' : 'changed', before: old ?? '', after: now ?? '' }]
  })
}

/** Why a name cannot be a new file's; null if it can. */
export function nameFault(name: string, files: Files): 'form' | 'taken' | null {
  if (!/^[a-z][a-z0-9_]{0,63}$/.test(name)) return 'form'
  return name in files ? 'taken' : null
}

/** Gives a file another name, also where other files take it in. */
export function renameFile(files: Files, old: string, name: string): Files {
  return Object.fromEntries(
    Object.entries(files).map(([n, text]) => [n === old ? name : n, text.replaceAll(new RegExp(`^(\\s*use\\s+)"${old}"`, 'gm'), `$1"${name}"`)]),
  )
}

/** What is written and not stored, kept on this device. */
export interface Unsaved {
  files: Files
  /** The version that it was begun from. */
  base: number
  /** When it was last changed, Unix milliseconds. */
  at: number
}

const keyOf = (site: string) => `readership.program.${site}`

export function loadUnsaved(site: string): Unsaved | null {
  try {
    const found = JSON.parse(localStorage.getItem(keyOf(site)) ?? 'null') as Partial<Unsaved> | null
    if (!found || typeof found.files?.[mainFile] !== 'string' || typeof found.base !== 'number') return null
    return { files: found.files, base: found.base, at: found.at ?? 0 }
  } catch {
    return null
  }
}

/** null forgets it. */
export function keepUnsaved(site: string, unsaved: Unsaved | null): void {
  try {
    if (unsaved) localStorage.setItem(keyOf(site), JSON.stringify(unsaved))
    else localStorage.removeItem(keyOf(site))
  } catch {
    // it lives until the page is left
  }
}
