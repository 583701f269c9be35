// Migrates a database and says how often the engine was loaded for it. Arguments: address (JSON), folder of migrations.
import { silentLog } from '../../lib/log.ts'
import { migrate } from '../migrate.ts'

const [address = '', folder = ''] = process.argv.slice(2)

let loads = 0
const { WebAssembly: engines } = globalThis as unknown as {
  WebAssembly: { instantiate(...args: unknown[]): unknown }
}
const instantiate = engines.instantiate
engines.instantiate = (...args) => {
  loads++
  return instantiate(...args)
}

await migrate(JSON.parse(address), silentLog, folder)
console.log(`engine loaded ${loads} times`)
