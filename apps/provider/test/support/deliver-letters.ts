// Delivers letters until it is killed. Arguments: database, port of the mail server, secret key in base64.
import { tmpdir } from 'node:os'
import { openDatabase } from '../../src/db/open.ts'
import { silentLog } from '../../src/lib/log.ts'
import { openPostOffice, smtpAt } from './post-office.ts'

const [url, port, key] = process.argv.slice(2)
const database = await openDatabase({ url, dataDir: tmpdir(), log: silentLog })
openPostOffice(database, {
  secretKey: Buffer.from(key!, 'base64'),
  settings: smtpAt(Number(port)),
}).deliver()
process.stdout.write('delivering\n')
setInterval(() => {}, 1_000_000)
