/** Filters as the address and the chips have them. */

export const operators = ['is', 'is_not', 'contains'] as const
export type Operator = (typeof operators)[number]

export interface Filter {
  operator: Operator
  column: string
  values: string[]
}

/** `is:item:272143,272144`; commas and backslashes in values are escaped. */
export function encodeFilter(f: Filter): string {
  return `${f.operator}:${f.column}:${f.values.map((v) => v.replace(/[\\,]/g, '\\$&')).join(',')}`
}

/** Reads what encodeFilter writes; null if the text is no filter. */
export function decodeFilter(text: string): Filter | null {
  const match = /^([a-z_]+):([^:]+):([\s\S]*)$/.exec(text)
  const [, operator = '', column = '', list = ''] = match ?? []
  if (!(operators as readonly string[]).includes(operator) || column === '') return null
  const values: string[] = ['']
  for (let i = 0; i < list.length; i++) {
    const c = list.charAt(i)
    if (c === ',') values.push('')
    else values.push((values.pop() ?? '') + (c === '\\' ? list.charAt(++i) : c))
  }
  return { operator: operator as Operator, column, values }
}

/** The filters after a click on a value: added, or taken out if it was in. */
export function toggleValue(filters: readonly Filter[], column: string, value: string): Filter[] {
  const i = filters.findIndex((f) => f.operator === 'is' && f.column === column)
  const old = filters[i]
  if (!old) return [...filters, { operator: 'is', column, values: [value] }]
  const values = old.values.includes(value) ? old.values.filter((v) => v !== value) : [...old.values, value]
  return values.length === 0 ? filters.filter((_, n) => n !== i) : filters.map((f, n) => (n === i ? { ...f, values } : f))
}

/** Adds a filter unless the same one is there. */
export function addFilter(filters: readonly Filter[], added: Filter): Filter[] {
  const same = encodeFilter(added)
  return filters.some((f) => encodeFilter(f) === same) ? [...filters] : [...filters, added]
}

/** Whether a value is picked by an `is` filter. */
export const isPicked = (filters: readonly Filter[], column: string, value: string): boolean =>
  filters.some((f) => f.operator === 'is' && f.column === column && f.values.includes(value))

/** The filters as the query API takes them. */
export const toQuery = (filters: readonly Filter[]): [string, string, string[]][] =>
  filters.map((f) => [f.operator, f.column, f.values])
