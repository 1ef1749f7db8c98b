import 'react'

declare module 'react' {
  interface CSSProperties {
    /** Length of a ranking's bar, 0 to 1. */
    '--share'?: number
  }
}
