// Runs the quick checks and the tests one after the other and adds up what they say.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { childEnv, node, root, say } from './ready.mjs'

const reports = mkdtempSync(path.join(tmpdir(), 'anteroom-test-'))
process.on('exit', () => rmSync(reports, { recursive: true, force: true }))

const bin = (name) => path.join(root, 'node_modules', '.bin', name)

/** Each a name and what it runs; `count` reads how many tests passed and failed. */
export const STEPS = {
  types: () => command(bin('tsc'), ['-p', 'apps/provider']),
  'types of the demo': () => command(bin('tsc'), ['-p', 'apps/web', '--noEmit']),
  'types of the journeys': () => command(bin('tsc'), ['-p', 'e2e']),
  lint: () => command(bin('biome'), ['check', '--error-on-warnings', '.']),
  unit: () => vitest('unit'),
  server: () => vitest('server'),
  'statement budgets': () => command(node, ['apps/provider/bench/main.ts', '--short']),
  api: ({ python }) => unittest(python),
  journeys: (machine) => playwright(machine),
}

/** Runs the named steps, all of them even when one fails; ends the process with what came out. */
export function runSteps(names, machine = {}) {
  const started = Date.now()
  const total = { passed: 0, failed: 0, skipped: 0 }
  const broken = []
  for (const name of names) {
    const began = Date.now()
    say(`\n── ${name}`)
    const { ok, passed = 0, failed = 0, skipped = 0 } = STEPS[name](machine)
    total.passed += passed
    total.failed += failed || (ok ? 0 : 1)
    total.skipped += skipped
    if (!ok) broken.push(name)
    say(`── ${name}: ${ok ? 'ok' : 'FAILED'} (${((Date.now() - began) / 1000).toFixed(1)} s)`)
  }
  say(
    `\n${broken.length ? `Failed: ${broken.join(', ')}` : 'All good'} after ${((Date.now() - started) / 1000).toFixed(0)} s`,
  )
  say(`${total.passed} passed, ${total.failed} failed${total.skipped ? `, ${total.skipped} skipped` : ''}`)
  process.exit(broken.length ? 1 : 0)
}

function command(file, args, { cwd = root, env = {} } = {}) {
  const { status, error } = spawnSync(file, args, { cwd, env: childEnv(env), stdio: 'inherit' })
  if (error) say(error.message)
  return { ok: status === 0 }
}

function vitest(project) {
  const report = path.join(reports, `${project}.json`)
  const args = [
    bin('vitest'),
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]
  const result = command(node, args, { cwd: path.join(root, 'apps/provider') })
  const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = read(report)
  return { ...result, ok: result.ok && passed > 0, passed, failed, skipped }
}

function playwright({ chromium, python }) {
  const report = path.join(reports, 'journeys.json')
  const env = { CHROMIUM_PATH: chromium ?? '', PYTHON: python ?? '', PLAYWRIGHT_JSON_OUTPUT_NAME: report }
  const result = command(
    bin('playwright'),
    ['test', '--config', 'e2e/playwright.config.ts', '--reporter=list,json'],
    { env },
  )
  const { expected: passed = 0, unexpected: failed = 0, skipped = 0 } = read(report).stats ?? {}
  return { ...result, ok: result.ok && passed > 0, passed, failed, skipped }
}

function unittest(python) {
  const options = {
    cwd: path.join(root, 'apps/api'),
    env: childEnv({ PYTHONDONTWRITEBYTECODE: '1' }),
    encoding: 'utf8',
  }
  const { status, stderr } = spawnSync(python, ['-m', 'unittest', '-v'], options)
  process.stdout.write(stderr)
  const ran = Number(/^Ran (\d+) tests?/m.exec(stderr)?.[1] ?? 0)
  const failed = [...stderr.matchAll(/(?:failures|errors)=(\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0)
  return { ok: status === 0 && ran > 0, passed: ran - failed, failed }
}

function read(report) {
  try {
    return JSON.parse(readFileSync(report, 'utf8'))
  } catch {
    return {}
  }
}
