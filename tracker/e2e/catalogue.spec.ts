import { expect, test } from './newsroom'

test('a page that was viewed fills its entry of the catalogue', async ({ newsroom, page }) => {
  const article = {
    '@type': 'NewsArticle', headline: 'Ships are late', articleSection: 'Harbour', author: { name: 'Ada' }, keywords: ['sea', 'trade'], datePublished: '2026-03-01T10:00:00+01:00',
  }
  newsroom.page('/kept/story', { head: `<link rel="canonical" href="/kept/story"><script type="application/ld+json">${JSON.stringify(article)}</script>`, tag: newsroom.tag('data-tier="premium"') })
  const item = async (id: string) => JSON.parse(await newsroom.call('GET', `/v1/sites/news/items/${encodeURIComponent(id)}`)) as Record<string, unknown>
  const id = 'localhost/kept/story'

  await page.goto(`${newsroom.local}/kept/story?utm_source=letter`)
  await expect.poll(async () => (await item(id)).known).toBe(true)
  expect(await item(id)).toMatchObject({
    id, source: 'page', url: `${newsroom.local}/kept/story`, kind: 'article', title: 'Ships are late', section: 'Harbour', authors: ['Ada'], tags: ['sea', 'trade'], tier: 'premium',
    published_at: '2026-03-01T09:00:00Z',
  })
  expect(await newsroom.call('GET', '/metrics')).toMatch(/readership_pages_total\{outcome="fetched"\} [1-9]/)

  // An entry that the newsroom writes for that page takes its place.
  await newsroom.call('PUT', '/v1/sites/news/items/z9', { url: `${newsroom.local}/kept/story`, title: 'By hand' })
  expect((await item(id)).known).toBe(false)
  await page.goto(`${newsroom.local}/kept/story`)
  await expect.poll(async () => (await newsroom.rows('kept')).map(({ item }) => item)).toContain('z9')
})
