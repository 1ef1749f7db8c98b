import { useQuery } from '@tanstack/react-query'
import { snippetQuery } from '../api/queries'
import { useText } from '../i18n'
import { failureText } from '../lib/failure'
import { failureOf } from '../api/client'
import { Snippet } from './Snippet'

/** What a site's pages carry, ready to be copied. */
export function SiteSnippet({ site }: { site: string }) {
  const t = useText()
  const { data, error } = useQuery(snippetQuery(site))
  if (error) return <p className="field-fault">{failureText(failureOf(error), t)}</p>
  return data ? <Snippet code={data.html.trim()} label={t('snippet.label')} /> : <span className="bone" style={{ height: 212, width: '100%' }} />
}
