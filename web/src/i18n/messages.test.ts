import { describe, expect, it } from 'vitest'
import { programMessages } from '../pages/program/words'
import { de } from './de'
import { en } from './en'

const names = (message: string) => [...message.matchAll(/\{\w+\}/g)].map(String).sort()

describe.each<[string, Record<string, string>, Record<string, string>]>([
  ['everywhere', en, de],
  ['on Program', programMessages.en, programMessages.de],
])('messages %s', (_, en, de) => {
  it('have the same keys and names to fill in in both languages', () => {
    expect(Object.keys(de)).toHaveLength(Object.keys(en).length)
    for (const key of Object.keys(en)) expect([key, names(de[key] ?? '')]).toEqual([key, names(en[key] ?? '')])
  })
  it('are never empty', () => {
    for (const message of [...Object.values(en), ...Object.values(de)]) expect(message.trim()).not.toBe('')
  })
})
