// `npm run faults`: installs what is missing, finds or starts PostgreSQL, and lets everything break, in full.
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { ensurePostgres } from './machine.mjs'
import { childEnv, makeReady, node, root } from './ready.mjs'

makeReady()
ensurePostgres()
const vitest = path.join(root, 'node_modules', '.bin', 'vitest')
// One file after the other: what is measured in one is not the other's load.
const args = ['run', '--project', 'server', '--no-file-parallelism', 'test/faults', ...process.argv.slice(2)]
const options = {
  cwd: path.join(root, 'apps/provider'),
  env: childEnv({ ANTEROOM_FAULTS: 'full' }),
  stdio: 'inherit',
}
process.exit(spawnSync(node, [vitest, ...args], options).status ?? 1)
