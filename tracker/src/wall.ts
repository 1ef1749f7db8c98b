// The paywall in the page: asks what the reader may read, shows the article
// (`data-rs-access="BLOCK"`) or the offer (`data-rs-offer`), and commits when the
// access block says that a page counts. Where the edge has decided, only the commit.

import { engaged, scrolled } from './attention'
import { consent, device } from './consent'
import { all } from './dom'
import { last, post } from './queue'
import { base, options } from './tag'
import { announce, send } from './view'

/** What makes a page count, beside that it is seen. */
interface Counts {
  engaged_seconds?: number
  scroll_percent?: number
}

interface Verdict extends Counts {
  decision?: string
  decision_id?: string
  offer?: string
  clause?: string
  access?: string
  counts?: Counts
}

let open: Verdict | undefined // still to be committed

const ask = (path: string, body: unknown) => post(`${base}v1/sites/${options.site!}/decisions${path}`, JSON.stringify(body), 'include', { Authorization: `Bearer ${options.key!}`, 'Content-Type': 'application/json' })

/** Decides for the view, unless the edge has, and left the decision in the page. */
export const guard = () => {
  open = undefined
  const page = announce()
  const [left] = all('meta[name=readership-decision]') as HTMLMetaElement[]
  const [article] = all('[data-rs-access]')
  if (left) {
    open = Object.assign({ decision_id: left.content }, left.dataset)
    left.remove() // it is for this view only
  } else if (article) {
    const { type, properties, item, ...request } = page
    // The first answer to a reader who has agreed brings the cookie that meters go by.
    Promise.resolve(consent() && last)
      .then(() => ask('', { access: article.dataset.rsAccess, item: item && { id: item }, request, reader: { device: device() } }))
      .then((answer) => answer.json() as Promise<Verdict>)
      .then((verdict) => announce() === page && show(verdict))
      .catch(() => show({})) // the article stays
  }
}

const denied = ({ decision }: Verdict) => /deny|charge/.test(decision!)

/** Shows the article or the offer; the article where nothing was decided. */
const show = (verdict: Verdict) => {
  const wall = denied(verdict)
  for (const element of all('[data-rs-access]')) element.hidden = wall
  for (const element of all('[data-rs-offer]')) element.hidden = !wall || !['', verdict.offer].includes(element.dataset.rsOffer)
  dispatchEvent(new CustomEvent('readership', { detail: verdict }))
  open = { ...verdict, ...verdict.counts }
}

/** Commits once what was shown counts. */
export const tick = () => {
  if (!open?.decision_id || document.hidden) return
  const { decision_id, offer, clause, access, engaged_seconds, scroll_percent } = open
  if (denied(open)) send('wall_shown', { offer, clause, access })
  else if (engaged() / 1e3 < engaged_seconds! || scrolled() < scroll_percent!) return
  open = undefined
  ask(`/${decision_id}/commit`, {}).catch(() => 0)
}
