import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { ProgramVersion, Site } from '../../api/types'
import { Choice } from '../../components/Choice'
import { Modal } from '../../components/Modal'
import { Empty, Panel, RowBones, StaleMark, States } from '../../components/Panel'
import { useFormat, useMessages, useText } from '../../i18n'
import type { Format } from '../../lib/format'
import { Changes, Texts } from './Changes'
import type { Files } from './draft'
import { type Version, versionQuery, versionsQuery } from './queries'
import { programMessages } from './words'

const steps = [6, 30, 200] // the server keeps 200

interface VersionsPanelProps {
  site: Site
  onOpen: (version: number) => void
}

/** Who stored what when. */
export function VersionsPanel({ site, onOpen }: VersionsPanelProps) {
  const w = useMessages(programMessages)
  const t = useText()
  const f = useFormat()
  const [step, setStep] = useState(0)
  const versions = useQuery(versionsQuery(site.id, steps[step] ?? 6))
  return (
    <Panel title={w('versions.title')} flush actions={<StaleMark query={versions} />} foot={<span>{t('panel.zone', { zone: site.timezone })}</span>}>
      <States query={versions} skeleton={<RowBones rows={3} />} isEmpty={(data) => data.versions.length === 0} empty={<Empty title={w('versions.empty')} />}>
        {(data) => (
          <>
            <ul className="versions">
              {data.versions.map((v) => (
                <li key={v.version}>
                  <button type="button" className="version" onClick={() => onOpen(v.version)} title={w('versions.view')}>
                    <span className="list-main">
                      <b>{w('versions.number', { version: v.version })}</b>
                      <span className="small muted rank-sub">{storedText(v, site, f, w)}</span>
                    </span>
                    {v.active && <span className="badge">{w('versions.active')}</span>}
                  </button>
                </li>
              ))}
            </ul>
            {data.cursor && step + 1 < steps.length && (
              <div className="more">
                <button type="button" className="button button-plain" onClick={() => setStep(step + 1)}>
                  {t('ranking.more')}
                </button>
              </div>
            )}
          </>
        )}
      </States>
    </Panel>
  )
}

/** By whom and when a version was stored. */
export function storedText(v: Pick<ProgramVersion, 'version' | 'stored_at' | 'stored_by'>, site: Site, f: Format, w: (key: 'versions.initial' | 'versions.stored', values?: Record<string, string>) => string): string {
  if (v.stored_at === undefined) return w('versions.initial')
  return w('versions.stored', { who: v.stored_by || '–', when: f.dateTime(Date.parse(v.stored_at), site.timezone) })
}

interface VersionDialogProps {
  site: Site
  version: number
  active: Version
  /** What is in the editor. */
  draft: Files
  mayWrite: boolean
  onClose: () => void
  /** Takes its text into the editor. */
  onEdit: (version: Version) => void
  /** Activates its text as a new version. */
  onRestore: (version: Version) => void
}

/** A version to read and to compare. */
export function VersionDialog({ site, version, active, draft, mayWrite, onClose, onEdit, onRestore }: VersionDialogProps) {
  const w = useMessages(programMessages)
  const f = useFormat()
  const [shown, setShown] = useState<'draft' | 'active' | 'text'>(version === active.version ? 'draft' : 'active')
  const one = useQuery(versionQuery(site.id, version))
  return (
    <Modal open wide onClose={onClose} title={w('versions.number', { version })}>
      <States query={one} skeleton={<span className="bone" style={{ height: 240 }} />}>
        {(v) => (
          <>
            <div className="bar">
              <span className="muted version-stored">
                {storedText({ version: v.version, ...(v.storedAt === null ? {} : { stored_at: new Date(v.storedAt).toISOString() }), stored_by: v.storedBy }, site, f, w)}
              </span>
              <Choice
                label={w('versions.show')}
                value={shown}
                onChange={setShown}
                options={[
                  ...(version === active.version ? [] : [{ value: 'active' as const, name: w('versions.against_active') }]),
                  { value: 'draft', name: w('versions.against_draft') },
                  { value: 'text', name: w('versions.text') },
                ]}
              />
            </div>
            <p className="small muted">{shown === 'text' ? w('versions.whole') : w(shown === 'active' ? 'versions.from_active' : 'versions.from_draft', { version })}</p>
            {shown === 'text' ? <Texts files={v.files} /> : <Changes before={shown === 'active' ? active.files : draft} after={v.files} />}
            {mayWrite && (
              <div className="form-end">
                {version !== active.version && (
                  <button type="button" className="button button-main" onClick={() => onRestore(v)}>
                    {w('versions.restore')}
                  </button>
                )}
                <button type="button" className="button" onClick={() => onEdit(v)}>
                  {w('versions.edit')}
                </button>
              </div>
            )}
          </>
        )}
      </States>
    </Modal>
  )
}
