// What the page says of itself: the tag's attributes, JSON-LD, `parsely-*` metas,
// `_sf_async_config` and `dataLayer`, the first that says it.

import { all } from './dom'
import type { Event, Properties } from './event'
import { options } from './tag'

type Source = Record<string, unknown>

/** A name or address out of what the sources write it as. */
const text = (value: unknown): string => ([value].flat() as (Source | undefined)[]).map((one) => (one?.name ?? one?.['@id'] ?? one) as string | undefined).join(', ')

const sources = (): Source[] => {
  const found: Source[] = [options]
  for (const script of all('script[type="application/ld+json"]')) {
    try {
      const things = ([JSON.parse(script.textContent)].flat() as Source[]).flatMap((thing) => [thing['@graph'] ?? thing].flat() as Source[])
      found.push(...things.filter((thing) => /Article|Posting/.test(text(thing['@type']))))
    } catch {
      // not ours to mend
    }
  }
  const metas: Record<string, string[]> = {}
  for (const meta of all('meta[name^=parsely-]') as HTMLMetaElement[]) (metas[meta.name.slice(8)] ??= []).push(meta.content)
  const page = window as unknown as { _sf_async_config?: Source; dataLayer?: Source[] }
  return found.concat(metas, page._sf_async_config ?? [], page.dataLayer ?? [])
}

let before: string | undefined // the canonical link of the view before

/** The page view of the page. `referrer` is where the reader came from. */
export const describe = (referrer: string | undefined, own: Properties | undefined): Event => {
  const link = (all('link[rel=canonical]')[0] as HTMLLinkElement | undefined)?.href
  // A head that did not change with the address is still the page before.
  const stale = link && link === before
  const said = stale ? [] : sources()
  const first = (...names: string[]) => said.flatMap((source) => names.map((name) => text(source[name]))).find(Boolean)
  before = link
  const properties: Properties = { section: first('section', 'articleSection', 'sections', 'pageSection'), author: first('author', 'authors', 'pageAuthor') }
  for (const name in options) if (name.startsWith('prop')) properties[name.slice(4).toLowerCase()] = options[name]
  const url = location.href
  const named = (!stale && link) || first('url', 'mainEntityOfPage', 'link', 'path') || ''
  return {
    type: 'page_view',
    url,
    canonical: /\//.test(named) ? new URL(named, url).href : undefined,
    referrer,
    title: first('title', 'headline') ?? document.title,
    item: said[0]?.item as string | undefined,
    properties: { ...properties, ...own },
  }
}
