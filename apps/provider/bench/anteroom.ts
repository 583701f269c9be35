// Anteroom as it is run in production, every check and the audit log on; only its statements are counted.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { answerQuestions, measureMemory } from './questions.ts'
import { API, RELYING_PARTIES } from './relying-parties.ts'
import { countStatements } from './statements.ts'

/** Counted as ever, but so generous that one machine may play a crowd. */
const GENEROUS = { points: 1_000_000 }

const port = process.env['PORT']
const file = path.join(process.env['DATA_DIR'] ?? '.', 'bench.yaml')
writeFileSync(
  file,
  JSON.stringify({
    clients: RELYING_PARTIES.map((client) => ({ ...client, first_party: true })),
    resources: [
      {
        audience: API.audience,
        name: 'Bench API',
        scopes: { [API.scope]: 'Read what there is' },
        token_format: 'jwt',
        token_lifetime: `${API.tokenSeconds}s`,
        signing_alg: 'ES256',
      },
    ],
    policy: {
      registration: { confirmation: 'later' },
      limits: {
        password_per_account: GENEROUS,
        password_per_ip: GENEROUS,
        registration_per_ip: GENEROUS,
        authorize_per_ip: GENEROUS,
        client_failures: GENEROUS,
        client_failures_per_ip: GENEROUS,
        grant_failures_per_ip: GENEROUS,
        tokens_per_client: GENEROUS,
      },
    },
  }),
)
Object.assign(process.env, {
  CONFIG_FILE: file,
  HOST: '127.0.0.1',
  ISSUER: `http://127.0.0.1:${port}`,
  NODE_ENV: 'production',
  SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  // No letter is written here.
  SMTP_URL: 'smtp://127.0.0.1:1',
  MAIL_FROM: 'no-reply@example.com',
})

const statements = countStatements()
answerQuestions({
  rest: async () => {},
  async tell() {
    const rowsWritten = await statements.rowsWritten()
    const processes = await statements.processes()
    return { ...measureMemory(), statements: statements.total(), rowsWritten, processes }
  },
  trace: async () => statements.trace(),
  database: () => statements.facts(),
})
await import('../src/main.ts')
