// `npm run bench`: installs what is missing, finds or starts PostgreSQL, and measures.
import { spawnSync } from 'node:child_process'
import { ensurePostgres } from './machine.mjs'
import { childEnv, makeReady, node, root } from './ready.mjs'

makeReady()
ensurePostgres()
const args = ['apps/provider/bench/main.ts', ...process.argv.slice(2)]
process.exit(spawnSync(node, args, { cwd: root, env: childEnv(), stdio: 'inherit' }).status ?? 1)
