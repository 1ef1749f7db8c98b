import './styles/tokens.css'
import './styles/base.css'
import './styles/shell.css'
import './styles/parts.css'
import './styles/data.css'
import { QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { Tooltip } from 'radix-ui'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { failureOf, statusOf } from './api/client'
import { sessionQuery } from './api/queries'
import { makeRouter } from './router'

const client = new QueryClient({
  queryCache: new QueryCache({
    // A session that has ended shows the sign-in, wherever it is noticed.
    onError: (error) => {
      if (statusOf(error) === 401) client.setQueryData(sessionQuery.queryKey, null)
    },
  }),
  defaultOptions: {
    queries: {
      // What the server refused it will refuse again; a lost connection may come back.
      retry: (times, error) => {
        const failure = failureOf(error)
        return times < 2 && (failure.kind === 'network' || (failure.kind === 'problem' && [429, 502, 503, 504].includes(failure.status)))
      },
      retryDelay: (times) => 400 * 2 ** times,
    },
  },
})

const root = document.getElementById('root')
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <Tooltip.Provider delayDuration={400}>
          <RouterProvider router={makeRouter(client)} />
        </Tooltip.Provider>
      </QueryClientProvider>
    </StrictMode>,
  )
}
