import { useQueries, useQuery, useQueryClient } from '@tanstack/react-query'
import { failureOf, sitePath } from '../../api/client'
import type { Site } from '../../api/types'
import { Icon } from '../../components/Icon'
import { Empty, Panel, RowBones, StaleMark, States } from '../../components/Panel'
import { Ranking } from '../../components/Ranking'
import { Snippet } from '../../components/Snippet'
import { Tip } from '../../components/Tip'
import { useFormat, useMessages, useText } from '../../i18n'
import { failureText } from '../../lib/failure'
import { segmentSizeQuery, segmentsQuery } from './queries'
import { programMessages } from './words'

const example = 'segment regulars = events |> where type == "page_view" |> last 14d |> distinct day |> count >= 4'

/** The segments of the active program, each with its size. */
export function SegmentsPanel({ site }: { site: Site }) {
  const w = useMessages(programMessages)
  const t = useText()
  const f = useFormat()
  const client = useQueryClient()
  const segments = useQuery(segmentsQuery(site.id))
  const names = segments.data?.segments.map((s) => s.name) ?? []
  const version = segments.data?.program_version ?? 0
  const options = names.map((name) => segmentSizeQuery(site.id, name, version))
  // Each size is worked out over all readers, so that one is asked for after the other.
  const next = options.findIndex((o) => client.getQueryState(o.queryKey)?.status !== 'success' && client.getQueryState(o.queryKey)?.status !== 'error')
  const sizes = useQueries({ queries: options.map((o, i) => ({ ...o, enabled: next < 0 || i <= next })) })
  const refresh = async () => {
    await segments.refetch()
    for (const o of options) await client.query({ ...o, staleTime: 0 }).catch(() => undefined) // its row says so
  }
  const busy = sizes.some((s) => s.isFetching)
  const times = sizes.flatMap((s) => (s.data ? [Date.parse(s.data.as_of)] : []))
  const most = Math.max(1, ...sizes.map((s) => s.data?.size ?? 0))
  return (
    <Panel
      title={w('segments.title')}
      flush
      actions={
        <>
          <StaleMark query={segments} />
          {names.length > 0 && (
            <button
              type="button"
              className="icon-button"
              disabled={busy}
              aria-label={w('segments.refresh')}
              title={w('segments.refresh')}
              onClick={() => void refresh()}
            >
              <Icon name="refresh" />
            </button>
          )}
        </>
      }
      foot={
        times.length > 0 && (
          <span>
            {t('panel.true_for', { time: f.clock(Math.min(...times), site.timezone) })} · {t('panel.zone', { zone: site.timezone })}
          </span>
        )
      }
    >
      <States
        query={segments}
        skeleton={<RowBones rows={4} />}
        isEmpty={(list) => list.segments.length === 0}
        empty={
          <Empty title={w('segments.empty')}>
            <p>{w('segments.empty_about')}</p>
            <Snippet label={w('segments.example')} code={example} />
          </Empty>
        }
      >
        {() => (
          <Ranking
            label={w('segments.title')}
            nameOf={w('segments.name')}
            columns={[
              { id: 'size', name: w('segments.size'), width: 88 },
              { id: 'share', name: w('segments.share'), width: 112 },
              { id: 'members', name: '', width: 48 },
            ]}
            rows={names.map((name, i) => {
              const size = sizes[i]
              return {
                id: name,
                name,
                share: (size?.data?.size ?? 0) / most,
                cells: [
                  size?.isError ? (
                    <Tip key="s" text={failureText(failureOf(size.error), t)}>
                      <button type="button" className="icon-button" onClick={() => void size.refetch()} aria-label={t('action.retry')}>
                        <Icon name="warning" />
                      </button>
                    </Tip>
                  ) : size?.data ? (
                    f.number(size.data.size)
                  ) : (
                    <span key="s" className="bone skeleton" style={{ height: 12, width: 40, marginLeft: 'auto' }} />
                  ),
                  size?.data && size.data.readers > 0 ? f.share(size.data.size / size.data.readers) : '',
                  <a
                    key="m"
                    className="icon-button"
                    href={sitePath(site.id, `segments/${encodeURIComponent(name)}/members`)}
                    download={`${name}.ndjson`}
                    aria-label={w('segments.members', { name })}
                    title={w('segments.members', { name })}
                  >
                    <Icon name="download" />
                  </a>,
                ],
              }
            })}
          />
        )}
      </States>
    </Panel>
  )
}
