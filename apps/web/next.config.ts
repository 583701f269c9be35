import path from 'node:path'
import type { NextConfig } from 'next'

// One lock file serves the whole repository; saying so spares Next.js the guess and its warning.
const repository = path.join(__dirname, '../..')

const config: NextConfig = {
  poweredByHeader: false,
  devIndicators: false,
  agentRules: false,
  // Authorization codes do not belong in a log, not even for their one minute.
  logging: { incomingRequests: { ignore: [/^\/api\/auth\/callback/] } },
  turbopack: { root: repository },
  outputFileTracingRoot: repository,
  // A container asks for the self-contained server; `next start` does not run with that output.
  output: process.env.NEXT_OUTPUT === 'standalone' ? 'standalone' : undefined,
}

export default config
