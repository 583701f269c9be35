// `npm test`: installs what is missing, then types, lint, unit, whole-server, API and browser tests.
// With a name (`npm run e2e`) that part alone.
import { ensureChromium, ensurePostgres, ensurePython } from './machine.mjs'
import { makeReady } from './ready.mjs'
import { runSteps, STEPS } from './steps.mjs'

const all = Object.keys(STEPS)
const names = process.argv[2] === 'e2e' ? ['journeys'] : all

makeReady()
const python = ensurePython()
const chromium = ensureChromium()
ensurePostgres()
runSteps(names, { python, chromium })
