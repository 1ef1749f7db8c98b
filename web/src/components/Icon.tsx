const paths = {
  live: 'M8 8m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0M4.5 4.5a5 5 0 0 0 0 7M11.5 4.5a5 5 0 0 1 0 7',
  audience: 'M2.5 13.5v-4M6.2 13.5v-8M9.8 13.5v-6M13.5 13.5v-11',
  program: 'M5.5 4 2 8l3.5 4M10.5 4 14 8l-3.5 4',
  health: 'M1.5 8.5h3l2-5 3 9 2-4h3',
  settings: 'M2 5h7M13 5h1M2 11h1M7 11h7M11 5m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0M5 11m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0',
  search: 'M7 7m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0M10.5 10.5l3 3',
  close: 'm4 4 8 8M12 4l-8 8',
  down: 'm4 6 4 4 4-4',
  left: 'm10 4-4 4 4 4',
  right: 'm6 4 4 4-4 4',
  check: 'm3 8.5 3.5 3.5L13 5',
  calendar: 'M2.5 3.5h11v10h-11zM2.5 6.5h11M5.5 2v3M10.5 2v3',
  open: 'M6 3H3v10h10v-3M9 3h4v4M13 3 7.5 8.5',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  plus: 'M8 3v10M3 8h10',
  trash: 'M2.5 4.5h11M6 4V2.5h4V4M4 4.5l.7 9h6.6l.7-9',
  person: 'M8 5.5m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0M3 13.5c.5-3 2.5-4 5-4s4.5 1 5 4',
  keys: 'M1.5 4.5h13v7h-13zM4 7h.5M7 7h.5M10 7h.5M5 9.3h6',
  warning: 'M8 2.5 1.5 13.5h13zM8 6.5v3.5M8 11.7v.100',
  error: 'M8 8m-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0M8 5v3.5M8 10.7v.1',
  more: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  refresh: 'M13 6.5A5.3 5.3 0 0 0 3.2 6M3 9.5a5.3 5.3 0 0 0 9.8.5M13 2.8v3.7H9.3M3 13.2V9.5h3.7',
  download: 'M8 2.5v7.5M4.8 7 8 10.2 11.2 7M2.5 13.5h11',
  table: 'M2 3h12v10H2zM2 6.5h12M2 9.8h12M6.5 3v10',
  chart: 'M2.5 2.5v11h11M5 11l3-4 2 2 3.5-4.5',
} as const

export type IconName = keyof typeof paths

/** A 16-px line drawing; says nothing to screen readers. */
export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  )
}
