import { expect, test } from './newsroom'

test('a page view says what its page says of itself', async ({ newsroom, page }) => {
  const article = { '@graph': [{ '@type': 'WebSite' }, { '@type': 'NewsArticle', headline: 'Ships are late', articleSection: 'Harbour', author: [{ name: 'Ada' }, { name: 'Grace' }] }] }
  newsroom.page('/says/story', { head: `<link rel="canonical" href="/says/the-story"><script type="application/ld+json">not JSON</script><script type="application/ld+json">${JSON.stringify(article)}</script>` })
  newsroom.page('/says/parsely', {
    head: '<meta name="parsely-title" content="Tides"><meta name="parsely-section" content="Sea"><meta name="parsely-author" content="Joan"><meta name="parsely-author" content="Mary"><meta name="parsely-link" content="/says/tides">',
  })
  newsroom.page('/says/chartbeat', { head: '<script>var _sf_async_config = { sections: "Sport,Sailing", authors: "Hedy", path: "/says/regatta" }</script>' })
  newsroom.page('/says/layer', { head: '<script>dataLayer = [{ event: "x" }, { pageSection: "Food", author: "Julia" }]</script>', tag: newsroom.tag('data-prop-desk="online" data-item="a9"') })
  for (const name of ['story', 'parsely', 'chartbeat', 'layer']) await page.goto(`${newsroom.origin}/says/${name}?utm_source=letter`)

  await expect.poll(async () => (await newsroom.rows('says')).length).toBe(4)
  const [story, parsely, chartbeat, layer] = await newsroom.rows('says')
  expect(story).toMatchObject({ type: 'page_view', title: 'Ships are late', item: 'news.example/says/the-story', properties: { section: 'Harbour', author: 'Ada, Grace' } })
  expect(parsely).toMatchObject({ title: 'Tides', item: 'news.example/says/tides', properties: { section: 'Sea', author: 'Joan, Mary' } })
  expect(chartbeat).toMatchObject({ title: 'The page at /says/chartbeat', item: 'news.example/says/regatta', properties: { section: 'Sport,Sailing', author: 'Hedy' } })
  expect(layer).toMatchObject({ item: 'a9', properties: { section: 'Food', author: 'Julia', desk: 'online' } })
})

test('navigation within a page', async ({ newsroom, page }) => {
  newsroom.page('/app/one', { head: '<link rel="canonical" href="/app/one">' })
  await page.goto(`${newsroom.origin}/app/one`)
  await page.evaluate(() => {
    history.pushState(null, '', '/app/two?tab=1')
    document.title = 'Two'
    document.querySelector<HTMLLinkElement>('link[rel=canonical]')!.href = '/app/two'
  })
  await expect.poll(async () => (await newsroom.rows('app')).length).toBe(2)
  await page.evaluate(() => {
    history.replaceState(null, '', '/app/two?tab=2') // the same page
    history.pushState(null, '', '#fragment')
  })
  await page.evaluate(() => {
    history.pushState(null, '', '/app/three') // its head stays that of the page before
    document.title = 'Three'
  })
  await expect.poll(async () => (await newsroom.rows('app')).length).toBe(3)
  await page.evaluate(() => history.go(-3))
  await expect.poll(async () => (await newsroom.rows('app')).length).toBe(4)
  const rows = await newsroom.rows('app')
  expect(rows.map(({ item, title }) => [item, title])).toEqual([
    ['news.example/app/one', 'The page at /app/one'],
    ['news.example/app/two', 'Two'],
    ['news.example/app/three', 'Three'],
    ['news.example/app/one', 'Three'],
  ])
  expect(rows[1]?.referrer).toBe(`${newsroom.origin}/app/one`)
})

test('with data-hash a fragment is a page', async ({ newsroom, page }) => {
  newsroom.page('/hash/', { tag: newsroom.tag('data-hash') })
  await page.goto(`${newsroom.origin}/hash/#one`)
  await page.evaluate(() => (location.hash = 'two'))
  await expect.poll(async () => (await newsroom.rows('hash')).map(({ url }) => url?.split('#')[1])).toEqual(['one', 'two'])
})

test('a page that is loaded ahead counts when it is read', async ({ newsroom, page }) => {
  newsroom.page('/ahead/from', {
    body: '<a id="next" href="/ahead/next">next</a><script type="speculationrules">{"prerender":[{"source":"list","urls":["/ahead/next"]}]}</script>',
  })
  newsroom.page('/ahead/next', {})
  await page.goto(`${newsroom.origin}/ahead/from`)
  await expect.poll(async () => (await newsroom.rows('ahead')).length).toBe(1)
  await page.click('#next')
  await expect.poll(async () => (await newsroom.rows('ahead')).map(({ item }) => item)).toEqual(['news.example/ahead/from', 'news.example/ahead/next'])
})

test('events, clicks and slots', async ({ newsroom, page }) => {
  newsroom.page('/slots/', {
    head: `<script>
      window.readership = window.readership || function () { (readership.q = readership.q || []).push(arguments) }
      readership('consent', true)
      readership('properties', { desk: 'sport' })
      readership('event', 'newsletter_seen', { list: 'daily' })
      addEventListener('click', (event) => event.preventDefault())
    </script>`,
    body: `<section data-rs-slot="related" data-rs-strategy="also_read"><a data-rs-item="a1" href="/slots/a1">1</a> <a id="second" data-rs-item="a2" href="/slots/a2">2</a></section>
      <p style="height:3000px"><a id="out" href="https://elsewhere.example/x">out</a> <a id="in" href="/slots/in">in</a></p><section data-rs-slot="footer"><a href="/slots/a3">3</a></section>`,
  })
  await page.goto(`${newsroom.origin}/slots/`)
  await expect.poll(async () => (await newsroom.rows('slots')).filter(({ type }) => type === 'impression').length).toBe(1)
  await page.click('#second')
  await page.click('#in')
  await page.click('#out')
  await page.evaluate(() => (window as unknown as { readership: (...args: unknown[]) => void }).readership('event', 'conversion', { goal: 'trial' }, { value: 4.5, currency: 'EUR' }))
  await expect.poll(async () => (await newsroom.rows('slots')).length).toBe(6)
  const rows = await newsroom.rows('slots')
  const of = (type: string) => rows.filter((row) => row.type === type).map(({ properties }) => properties)
  expect(of('page_view')).toEqual([{ desk: 'sport' }])
  expect(of('newsletter_seen')).toEqual([{ list: 'daily' }])
  expect(of('impression')).toEqual([{ slot: 'related', strategy: 'also_read', items: 'a1,a2' }])
  expect(of('click')).toEqual([{ slot: 'related', strategy: 'also_read', target: 'a2' }, { outbound: 'https://elsewhere.example/x' }])
  expect(rows.find(({ type }) => type === 'conversion')).toMatchObject({ value: 4.5, currency: 'EUR', properties: { goal: 'trial' }, item: 'news.example/slots' })
  expect(new Set(rows.map(({ device }) => device)).size).toBe(1)
})
