import { expect, it } from 'vitest'
import { hostsOf, idOf } from './hosts'

it('reads hosts from what people paste', () => {
  expect(hostsOf(' https://News.example/start, blog.news.example\n')).toEqual(['news.example', 'blog.news.example'])
  expect(hostsOf('localhost:3000')).toEqual(['localhost'])
  expect(hostsOf('')).toEqual([])
})

it('makes an id of the first host', () => {
  expect(idOf('www.news.example')).toBe('news')
  expect(idOf('https://the-daily.co.uk/')).toBe('the-daily-co')
  expect(idOf('127.0.0.1:8080')).toBe('127-0-0')
  expect(idOf('')).toBe('')
})
