import { Command, InvalidArgumentError } from 'commander'
import { readConfig } from '../config.ts'
import { developmentSecret } from '../db/development-secret.ts'
import { openDatabase } from '../db/open.ts'
import { createUnitOfWork } from '../db/unit-of-work.ts'
import { createKeyStore, type KeyAlg } from '../keys/store.ts'
import { DAY, systemClock } from '../lib/clock.ts'
import { parseDuration } from '../lib/duration.ts'
import { createLog } from '../lib/log.ts'
import { createSealer } from '../lib/seal.ts'

type Options = { in: number; json?: boolean }

/** Signing keys from the command line; running servers notice within two seconds. */
export function keysCommand(): Command {
  const rotate = new Command('rotate')
    .description('makes a new signing key of each kind: published now, signing after the time given')
    .option(
      '--in <duration>',
      'when it begins to sign, so that apps know it by then: 24h, 10m, 0s',
      duration,
      DAY,
    )
    .option('--json', 'answer as JSON')
    .exitOverride()
    .action(rotateKeys)
  return new Command('keys').description('signing keys').addCommand(rotate)
}

async function rotateKeys(options: Options): Promise<void> {
  const config = readConfig(process.env)
  const database = await openDatabase({
    url: config.DATABASE_URL,
    dataDir: config.DATA_DIR,
    log: createLog('warn', true),
  })
  try {
    const sealer = createSealer(config.SECRET_KEY ?? [await developmentSecret(config.DATA_DIR)])
    const keys = createKeyStore({ scope: createUnitOfWork(database), sealer, now: systemClock })
    const activeAt = new Date(Date.now() + options.in)
    const made: { kid: string; alg: KeyAlg }[] = []
    for (const alg of ['RS256', 'ES256'] as const)
      made.push({ kid: await keys.createKey(alg, activeAt), alg })
    process.stdout.write(
      options.json ? `${JSON.stringify({ keys: made, activeAt })}\n` : describe(made, activeAt),
    )
  } finally {
    await database.close()
  }
}

const describe = (made: { kid: string; alg: string }[], activeAt: Date) =>
  `${made.map(({ kid, alg }) => `${alg}  ${kid}`).join('\n')}\nPublished now, signing from ${activeAt.toISOString()}.\n`

function duration(text: string): number {
  const ms = parseDuration(text)
  if (ms === null) throw new InvalidArgumentError('write it as 24h, 10m or 0s')
  return ms
}
