// Makes a bare clone ready to run, with nothing but the machine's Node.js and npm. No dependencies, by intent.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'

export const root = path.resolve(import.meta.dirname, '..')
/** The pinned Node.js 24 that npm installs; the machine's own may be older. */
export const node = path.join(
  root,
  'node_modules',
  'node',
  'bin',
  process.platform === 'win32' ? 'node.exe' : 'node',
)

const generated = path.join(root, 'apps/provider/src/db/generated/client.ts')

/** Installs when the lock file is newer than what is installed, and writes the database client when it is missing. */
export function makeReady() {
  if (
    isNewer('package-lock.json', path.join(root, 'node_modules', '.package-lock.json')) ||
    !existsSync(node)
  ) {
    say('Installing dependencies (about a minute, once) …')
    run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  }
  const schema = [
    'prisma/schema.prisma',
    ...readdirSync(path.join(root, 'prisma/models')).map((file) => `prisma/models/${file}`),
  ]
  if (schema.some((file) => isNewer(file, generated))) generateClient()
}

/** The command line of Prisma fetches an engine that closed networks cannot reach; writing the client needs none. */
export function generateClient() {
  const cli = path.join(root, 'node_modules/prisma/build/index.js')
  run(existsSync(node) ? node : process.execPath, [cli, 'generate', '--schema', 'prisma', '--no-hints'], {
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true', PRISMA_HIDE_UPDATE_MESSAGE: '1' },
    quiet: true,
  })
}

/** Environment under which every child runs: the pinned Node.js and the installed commands come first. */
export const childEnv = (more = {}) => ({
  ...process.env,
  PATH: [path.join(root, 'node_modules', '.bin'), process.env.PATH].join(path.delimiter),
  NEXT_TELEMETRY_DISABLED: '1',
  ...more,
})

export const say = (text) => process.stdout.write(`${text}\n`)

function isNewer(file, than) {
  return !existsSync(than) || statSync(path.join(root, file)).mtimeMs > statSync(than).mtimeMs
}

function run(command, args, { env = process.env, quiet = false } = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    env,
    stdio: quiet ? 'pipe' : 'inherit',
    shell: process.platform === 'win32',
  })
  if (result.status === 0) return
  if (quiet) process.stderr.write(`${result.stdout}${result.stderr}`)
  process.stderr.write(
    `${command} ${args.join(' ')} failed${result.error ? `: ${result.error.message}` : ''}\n`,
  )
  process.exit(1)
}
