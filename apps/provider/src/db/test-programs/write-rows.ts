// Writes rows in all the ways the code does, and says each one's id once its commit was acknowledged.
// Arguments: data folder, URL (absent: embedded).
import { silentLog } from '../../lib/log.ts'
import { openDatabase } from '../open.ts'

const [dataDir = '', url] = process.argv.slice(2)
const { pool, prisma } = await openDatabase({ url, dataDir, log: silentLog })
await pool.query('create table if not exists acknowledged (id text primary key)')

const ways: ((id: string) => Promise<unknown>)[] = [
  (id) => pool.query({ name: 'write', text: 'insert into acknowledged values ($1)', values: [id] }),
  (id) => prisma.$executeRaw`insert into acknowledged values (${id})`,
  (id) => prisma.$transaction((tx) => tx.$executeRaw`insert into acknowledged values (${id})`),
]

async function writeForEver(way: (id: string) => Promise<unknown>, index: number) {
  for (let count = 0; ; count++) {
    const id = `${process.pid}-${index}-${count}`
    await way(id)
    console.log(id)
  }
}

await Promise.all([...ways, ...ways].map(writeForEver))
