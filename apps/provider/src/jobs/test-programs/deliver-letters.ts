// Delivers letters until it is killed. Arguments: database, port of the mail server, secret key in base64.
import { tmpdir } from 'node:os'
import { openPostOffice, smtpAt } from '../../../test/support/post-office.ts'
import { openDatabase } from '../../db/open.ts'
import { silentLog } from '../../lib/log.ts'

const [url, port, key] = process.argv.slice(2)
const database = await openDatabase({ url, dataDir: tmpdir(), log: silentLog })
openPostOffice(database, {
  secretKey: Buffer.from(key!, 'base64'),
  settings: smtpAt(Number(port)),
}).deliver()
process.stdout.write('delivering\n')
setInterval(() => {}, 1_000_000)
