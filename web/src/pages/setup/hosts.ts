/** The hosts of a text with commas, blanks or lines between them; without scheme, port and path. */
export const hostsOf = (text: string): string[] =>
  text
    .split(/[\s,]+/)
    .map((h) => h.replace(/^https?:\/\//, '').replace(/\/.*$/, '').replace(/:\d+$/, '').toLowerCase())
    .filter((h) => h !== '')

/** An id made of the first host: news.example → news. */
export const idOf = (domains: string): string =>
  (hostsOf(domains)[0] ?? '')
    .replace(/^www\./, '')
    .replace(/\.[^.]*$/, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 63)
