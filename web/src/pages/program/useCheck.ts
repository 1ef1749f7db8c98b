import { useEffect, useRef, useState } from 'react'
import { type Failure, type Result, request, sitePath } from '../../api/client'
import type { ProgramChecked, ProgramFault } from '../../api/types'
import type { Files } from './draft'
import { type Latest, latest } from './latest'

/** What the server says about a text. */
export interface Check {
  /** The text that it is about; null before the first answer. */
  files: Files | null
  faults: readonly ProgramFault[]
  /** What the text defines and costs; of the last text without errors. */
  checked: ProgramChecked | null
  /** Why it could not be checked. */
  failure: Failure | null
}

export const errorsIn = (faults: readonly ProgramFault[]) => faults.filter((f) => f.severity === 'error')

/** What a refusal says about places of the text; null if it is about something else. */
export function faultsOf(failure: Failure): ProgramFault[] | null {
  if (failure.kind !== 'problem' || failure.code !== 'program_errors') return null
  return failure.faults as unknown as ProgramFault[] // this code promises them
}

const rest = 250 // milliseconds without a keystroke

/** Checks a text as it is written; `tell` puts in what another call has said about it. */
export function useCheck(site: string, files: Files): [Check, tell: (files: Files, failure: Failure) => void] {
  const [check, setCheck] = useState<Check>({ files: null, faults: [], checked: null, failure: null })
  const asking = useRef<Latest<Files> | null>(null)
  useEffect(() => {
    const ask = (files: Files, signal: AbortSignal) => request<ProgramChecked>(sitePath(site, 'program/check'), { method: 'POST', body: { files }, signal })
    const l = latest(ask, (answer: Result<ProgramChecked>, files) => setCheck((old) => after(old, files, answer)), rest)
    asking.current = l
    return () => l.stop()
  }, [site])
  useEffect(() => asking.current?.put(files), [site, files])
  return [check, (files, failure) => setCheck((old) => after(old, files, { ok: false, failure }))]
}

function after(old: Check, files: Files, answer: Result<ProgramChecked>): Check {
  if (answer.ok) return { files, faults: answer.data.warnings, checked: answer.data, failure: null }
  const faults = faultsOf(answer.failure)
  return faults ? { ...old, files, faults, failure: null } : { ...old, files, failure: answer.failure }
}
