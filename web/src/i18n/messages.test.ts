import { expect, it } from 'vitest'
import { de } from './de'
import { type Key, en } from './en'

const names = (message: string) => [...message.matchAll(/\{\w+\}/g)].map(String).sort()

it('has the same names to fill in both languages', () => {
  for (const key of Object.keys(en) as Key[]) expect([key, names(de[key])]).toEqual([key, names(en[key])])
})

it('leaves no message empty', () => {
  for (const message of [...Object.values(en), ...Object.values(de)]) expect(message.trim()).not.toBe('')
})
