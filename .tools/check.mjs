// `npm run check`: types, lint, the floor test and the unit tests.
import { ensurePostgres } from './machine.mjs'
import { makeReady } from './ready.mjs'
import { runSteps } from './steps.mjs'

makeReady()
ensurePostgres()
runSteps(['types', 'types of the demo', 'types of the journeys', 'lint', 'unit'])
