// Opens the database when told to, says how that went, closes it when told to, and ends by itself.
// Arguments: data folder, URL (absent: embedded).
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { silentLog } from '../../lib/log.ts'
import { openDatabase } from '../open.ts'

const [dataDir = '', url] = process.argv.slice(2)
const orders = createInterface(process.stdin)

console.log('waiting')
await once(orders, 'line')
try {
  const database = await openDatabase({ url, dataDir, log: silentLog })
  console.log('open')
  await once(orders, 'line')
  await database.close()
  console.log('closed')
} catch (error) {
  console.log(`refused: ${error instanceof Error ? `${error.name}: ${error.message}` : error}`)
}
orders.close()
process.stdin.destroy()
