/** The address of a host, if it is one and nothing else. */
export function hostAddress(host: string): string | undefined {
  return /^[\p{L}\p{N}][\p{L}\p{N}.-]*(:\d+)?$/u.test(host) ? `https://${host}/` : undefined
}

/** An address that may be followed: http or https only. */
export function webAddress(text: string | undefined): string | undefined {
  return text !== undefined && /^https?:\/\//i.test(text) ? text : undefined
}

/** A path on this server to go on to after signing in; "/" for anything else. */
export function safeNext(next: string | undefined): string {
  return next !== undefined && /^\/(?![/\\])/.test(next) && !next.startsWith('/sign-in') ? next : '/'
}
