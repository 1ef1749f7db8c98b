import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useBlocker } from '@tanstack/react-router'
import { Tabs } from 'radix-ui'
import { useCallback, useMemo, useState } from 'react'
import { type Failure, request, sitePath } from '../../api/client'
import { sessionQuery } from '../../api/queries'
import type { ProgramChecked, ProgramDefinition, Site } from '../../api/types'
import { Icon } from '../../components/Icon'
import { StaleMark } from '../../components/Panel'
import { useFormat, useMessages, useText } from '../../i18n'
import { failureText } from '../../lib/failure'
import { ActivateDialog } from './ActivateDialog'
import { Definitions, costText } from './Definitions'
import { Editor, type Jump } from './Editor'
import { FileTabs } from './FileTabs'
import { Meanwhile } from './Meanwhile'
import { Problems } from './Problems'
import { SegmentsPanel } from './SegmentsPanel'
import { SimulationPanel } from './SimulationPanel'
import { Sure } from './Sure'
import { VersionDialog, VersionsPanel } from './VersionsPanel'
import { declaredIn } from './complete'
import { type Files, renameFile, sameFiles } from './draft'
import { type Active, type Version, activeQuery, programKey, schemaQuery } from './queries'
import type { Prediction } from './simulation'
import { errorsIn, faultsOf, useCheck } from './useCheck'
import { useDraft } from './useDraft'
import { programMessages } from './words'

/** What is asked before something is done. */
type Asked =
  | { what: 'activate'; files: Files; version: number | null }
  | { what: 'version'; version: number }
  | { what: 'replace'; by: Pick<Version, 'version' | 'files'> }
  | { what: 'discard' }

export function Workshop({ site, active }: { site: Site; active: Active }) {
  const t = useText()
  const w = useMessages(programMessages)
  const f = useFormat()
  const client = useQueryClient()
  const { data: session } = useQuery(sessionQuery)
  const mayWrite = session?.scopes.includes('program:write') ?? false
  const refreshed = useQuery(activeQuery(site.id))
  const schema = useQuery(schemaQuery(site.id)).data
  const [draft, change] = useDraft(site.id, active)
  const [check, tell] = useCheck(site.id, draft.files)
  const [asked, setAsked] = useState<Asked | null>(null)
  const [jump, setJump] = useState<Jump | null>(null)
  const [busy, setBusy] = useState(false)
  const [failure, setFailure] = useState<Failure | null>(null)
  const [said, setSaid] = useState('')
  const [prediction, setPrediction] = useState<(Prediction & { files: Files; against: number }) | null>(null)

  const edited = !sameFiles(draft.files, draft.base.files)
  const errors = errorsIn(check.faults)
  const current = check.files === draft.files
  const goTo = useCallback(
    (to: Jump) => {
      change.show(to.file)
      setJump(to)
    },
    [change],
  )

  const leaving = useBlocker({
    shouldBlockFn: ({ current, next }) => edited && current.pathname !== next.pathname,
    enableBeforeUnload: () => edited,
    withResolver: true,
  })

  /** Stores a text; activates it, if it still takes the place of the version that was compared with. */
  const put = async (files: Files, activate: boolean) => {
    setBusy(true)
    setFailure(null)
    const result = await request<ProgramChecked>(sitePath(site.id, 'program'), {
      method: 'PUT',
      body: { files },
      query: { activate: String(activate) },
      ifMatch: activate ? active.etag : undefined,
    })
    setBusy(false)
    if (result.ok) {
      const version = result.data.version ?? 0
      if (sameFiles(files, draft.files)) change.stored(files, version)
      else if (!edited) change.load({ version, files })
      setSaid(w(activate ? 'status.activated' : 'status.stored', { version }))
      setAsked(null)
    } else {
      setFailure(result.failure)
      const faults = faultsOf(result.failure)
      if (faults && sameFiles(files, draft.files)) {
        tell(draft.files, result.failure)
        const first = faults[0]
        if (first && !activate) goTo({ ...first })
      }
      setSaid('')
    }
    await client.invalidateQueries({ queryKey: programKey(site.id) })
  }

  /** The first error, where there is one, is what stands in the way. */
  const withoutErrors = (then: () => void) => {
    const first = current ? errors[0] : undefined
    if (!first) { then(); return; }
    setSaid(w('status.correct_first'))
    goTo({ ...first })
  }
  const store = () => {
    if (mayWrite && edited && !busy) withoutErrors(() => void put(draft.files, false))
  }
  const activate = () =>
    withoutErrors(() => {
      setFailure(null)
      setAsked({ what: 'activate', files: draft.files, version: null })
    })
  const open = (version: number) => setAsked({ what: 'version', version })
  const edit = (by: Pick<Version, 'version' | 'files'>) => {
    if (edited) { setAsked({ what: 'replace', by }); return; }
    change.load(by)
    setAsked(null)
  }

  const declared = useMemo(() => declaredIn(draft.files), [draft.files])
  const definitions = check.checked?.definitions
  const about = (name: string) => {
    const d = definitions?.find((d) => d.name === name)
    return d ? w('defines.hover', { kind: w(`kind.${d.kind}`), name, ...costText(d, f) }) : ''
  }
  const goToDefinition = (d: ProgramDefinition) => {
    const at = declared.find((o) => o.name === d.name && o.kind === d.kind)
    if (at) goTo({ file: at.file, line: at.line, column: at.column, end_column: at.column + at.name.length })
  }
  const several = Object.keys(draft.files).length > 1
  const fits = prediction && asked?.what === 'activate' && sameFiles(prediction.files, asked.files) && prediction.against === active.version
  const draftSaid = edited ? w('status.unsaved') : draft.base.version !== active.version ? w('status.draft_of', { version: draft.base.version }) : ''
  return (
    <div className="page">
      <div className="page-head">
        <div className="program-name">
          <h1>{t('nav.program')}</h1>
          <span className="muted">
            {w('status.active', { version: active.version })}
            {active.storedAt !== null && <> · {f.dateTime(active.storedAt, site.timezone)}</>}
          </span>
        </div>
        <StaleMark query={refreshed} />
        {mayWrite && (
          <>
            {draftSaid !== '' && <span className="muted small">{draftSaid}</span>}
            <button type="button" className="button" disabled={!edited || busy} onClick={store}>
              {w('action.store')}
            </button>
            <button type="button" className="button button-main" disabled={busy || sameFiles(draft.files, active.files)} onClick={activate}>
              {w('action.activate_ask')}
            </button>
          </>
        )}
      </div>
      <p className="hidden" role="status">
        {said}
      </p>
      <Meanwhile site={site} active={active} draft={draft} onCompare={open} onLoad={edit} onDiscard={() => setAsked({ what: 'discard' })} />
      {failure && !asked && !faultsOf(failure) && (
        <p className="notice notice-bad" role="alert">
          <Icon name="warning" />
          {failureText(failure, t)}
        </p>
      )}
      <div className="program-columns">
        <section className="panel" aria-label={w('editor.title')}>
          <Tabs.Root value={draft.file} onValueChange={change.show}>
            <FileTabs
              files={draft.files}
              file={draft.file}
              readOnly={!mayWrite}
              errorsOf={(file) => errors.filter((e) => e.file === file).length}
              onAdd={(name) => change.arrange({ ...draft.files, [name]: '' }, name)}
              onRename={(old, name) => change.arrange(renameFile(draft.files, old, name), name)}
              onDelete={(name) => change.arrange(Object.fromEntries(Object.entries(draft.files).filter(([n]) => n !== name)), 'main')}
            />
            <Tabs.Content value={draft.file} tabIndex={-1}>
              <Editor
                files={draft.files}
                file={draft.file}
                loaded={draft.loaded}
                readOnly={!mayWrite}
                faults={check.faults}
                schema={schema}
                about={about}
                jump={jump}
                label={w('editor.label', { file: draft.file })}
                phrases={phrases}
                onChange={(file, text) => {
                  change.write(file, text)
                  setSaid('')
                }}
                onStore={store}
              />
            </Tabs.Content>
          </Tabs.Root>
          <div className="check-line">
            <CheckState errors={errors.length} warnings={check.faults.length - errors.length} checking={!current} failure={check.failure} tested={declaresTests(draft.files)} />
            <span className="muted small">{said || (mayWrite ? w('status.tab_leaves') : w('editor.read_only'))}</span>
          </div>
          <Problems faults={check.faults} several={several} onJump={goTo} />
        </section>
        <Definitions checked={check.checked} old={!current || errors.length > 0} onPick={goToDefinition} />
      </div>
      <SimulationPanel
        site={site}
        files={draft.files}
        blocks={declared.filter((d) => d.kind === 'access').map((d) => d.name)}
        activeVersion={active.version}
        onPrediction={setPrediction}
        onRefused={(failure) => {
          const first = faultsOf(failure)?.[0]
          if (!first) return
          tell(draft.files, failure)
          goTo({ ...first })
        }}
      />
      <div className="columns">
        <SegmentsPanel site={site} />
        <VersionsPanel site={site} onOpen={open} />
      </div>

      {asked?.what === 'activate' && (
        <ActivateDialog
          active={active}
          files={asked.files}
          version={asked.version}
          prediction={fits ? prediction : null}
          busy={busy}
          failure={failure}
          onClose={() => setAsked(null)}
          onActivate={() => void put(asked.files, true)}
        />
      )}
      {asked?.what === 'version' && (
        <VersionDialog
          site={site}
          version={asked.version}
          active={active}
          draft={draft.files}
          mayWrite={mayWrite}
          onClose={() => setAsked(null)}
          onEdit={edit}
          onRestore={(v) => {
            setFailure(null)
            setAsked({ what: 'activate', files: v.files, version: v.version })
          }}
        />
      )}
      <Sure
        open={asked?.what === 'replace'}
        title={w('replace.title')}
        about={w('replace.about')}
        action={w('replace.action')}
        onClose={() => setAsked(null)}
        onSure={() => {
          if (asked?.what === 'replace') change.load(asked.by)
          setAsked(null)
        }}
      />
      <Sure
        open={asked?.what === 'discard'}
        title={w('discard.title')}
        about={w('discard.about')}
        action={w('action.discard')}
        onClose={() => setAsked(null)}
        onSure={() => {
          change.load(active)
          setAsked(null)
        }}
      />
      <Sure
        open={leaving.status === 'blocked'}
        title={w('leave.title')}
        about={w('leave.about')}
        action={w('action.leave')}
        stay={w('action.stay')}
        onClose={() => leaving.reset?.()}
        onSure={() => leaving.proceed?.()}
      />
    </div>
  )
}

const phrases = {}
const declaresTests = (files: Files) => Object.values(files).some((text) => /^\s*test\s*"/m.test(text))

interface CheckStateProps {
  errors: number
  warnings: number
  checking: boolean
  failure: Failure | null
  tested: boolean
}

/** Whether the text is right, in a few words. */
function CheckState({ errors, warnings, checking, failure, tested }: CheckStateProps) {
  const w = useMessages(programMessages)
  const t = useText()
  const count = (n: number, one: 'status.errors_one' | 'status.warnings_one', many: 'status.errors' | 'status.warnings') => (n === 1 ? w(one) : w(many, { n }))
  const state = failure ? 'failing' : errors > 0 ? 'errors' : 'fine'
  const texts = failure
    ? [w('status.not_checked'), failureText(failure, t)]
    : [errors > 0 ? count(errors, 'status.errors_one', 'status.errors') : w(tested ? 'status.fine_tested' : 'status.fine'), ...(warnings > 0 ? [count(warnings, 'status.warnings_one', 'status.warnings')] : [])]
  return (
    <span className="check-state" role="status" data-state={checking ? 'checking' : state}>
      <Icon name={state === 'fine' ? 'check' : 'error'} />
      {checking ? w('status.checking') : texts.join(' · ')}
    </span>
  )
}
