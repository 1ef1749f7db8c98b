/** What a simulation of a text against the active program says of its activation. */
export interface Prediction {
  access: string
  range: string
  newlyDenied: number
  noLongerDenied: number
}
