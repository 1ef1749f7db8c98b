import './program.css'
import { useQuery } from '@tanstack/react-query'
import { Panel, States } from '../../components/Panel'
import { useMessages, useText } from '../../i18n'
import { useSite } from '../../state/view'
import { Workshop } from './Workshop'
import { activeQuery } from './queries'
import { programMessages } from './words'

/** The site's program: written, checked, tried, activated. */
export function ProgramPage() {
  const t = useText()
  const w = useMessages(programMessages)
  const site = useSite()
  const active = useQuery(activeQuery(site.id))
  if (active.data) return <Workshop key={site.id} site={site} active={active.data} />
  return (
    <div className="page">
      <div className="page-head">
        <h1>{t('nav.program')}</h1>
      </div>
      <Panel title={w('editor.title')}>
        <States query={active} skeleton={<span className="bone" style={{ height: 440 }} />}>
          {() => null}
        </States>
      </Panel>
    </div>
  )
}
