// Locks a data folder when told to, and holds it until it is killed. Argument: the folder.
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { lockDataFolder } from '../data-lock.ts'

const [folder = ''] = process.argv.slice(2)
const orders = createInterface(process.stdin)

console.log('waiting')
await once(orders, 'line')
try {
  const lock = lockDataFolder(folder)
  console.log('locked')
  await once(orders, 'close')
  lock.release()
} catch (error) {
  console.log(`refused: ${error}`)
}
