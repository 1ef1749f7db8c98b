// An event as POST /v1/events takes it. What is undefined is not sent.

export type Properties = Record<string, string | number | boolean | undefined>

export interface Consent {
  analytics?: boolean
  personalization?: boolean
  tcf?: string
}

export interface Event {
  type: string
  id?: string
  time?: number
  device?: string | undefined
  account?: string | undefined
  url?: string | undefined
  canonical?: string | undefined
  referrer?: string | undefined
  title?: string | undefined
  item?: string | undefined
  view?: string
  engaged_seconds?: number
  scroll_percent?: number
  value?: number
  currency?: string
  properties?: Properties | undefined
  traits?: Properties | undefined
  consent?: Consent | undefined
}

/** 128 random bits. */
export const newID = () => crypto.getRandomValues(new Uint32Array(4)).join('-')
