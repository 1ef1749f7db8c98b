import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { Site } from '../../api/types'
import { Icon } from '../../components/Icon'
import { useFormat, useMessages } from '../../i18n'
import { type Version, versionQuery, versionsQuery } from './queries'
import type { Draft } from './useDraft'
import { programMessages } from './words'

interface MeanwhileProps {
  site: Site
  active: Version
  draft: Draft
  onCompare: (version: number) => void
  onLoad: (version: Version) => void
  onDiscard: () => void
}

/** Says when there is something else than what the text was begun from: a newer version, or what was kept from before. */
export function Meanwhile({ site, active, draft, onCompare, onLoad, onDiscard }: MeanwhileProps) {
  const w = useMessages(programMessages)
  const f = useFormat()
  const [dismissed, setDismissed] = useState(0)
  const newest = useQuery(versionsQuery(site.id, 1)).data?.versions[0]
  const other = newest && newest.version > Math.max(draft.base.version, dismissed) ? newest : null
  const text = useQuery({ ...versionQuery(site.id, other?.version ?? active.version), enabled: other !== null }).data
  return (
    <>
      {other && (
        <div className="notice" role="status">
          <Icon name="warning" />
          <span className="notice-text">{w(other.active ? 'meanwhile.active' : 'meanwhile.stored', { version: other.version, who: other.stored_by || '–' })}</span>
          <span className="notice-actions">
            <button type="button" className="link-button" onClick={() => onCompare(other.version)}>
              {w('action.show_changes')}
            </button>
            <button type="button" className="link-button" disabled={!text} onClick={() => text && onLoad(text)}>
              {w('action.load')}
            </button>
            <button type="button" className="link-button" onClick={() => setDismissed(other.version)}>
              {w('action.dismiss')}
            </button>
          </span>
        </div>
      )}
      {draft.keptAt !== null && (
        <div className="notice" role="status">
          <Icon name="warning" />
          <span className="notice-text">{w('meanwhile.unsaved', { when: f.dateTime(draft.keptAt, site.timezone) })}</span>
          <span className="notice-actions">
            <button type="button" className="link-button" onClick={onDiscard}>
              {w('action.discard')}
            </button>
          </span>
        </div>
      )}
    </>
  )
}
