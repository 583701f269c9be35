import { Command } from 'commander'
import { readConfig } from '../config.ts'
import { openDatabase } from '../db/open.ts'
import { createLog } from '../lib/log.ts'
import { createDeliveryStore, type DeadLetter, type DeliveryStore } from '../mail/delivery.store.ts'

/** Letters that were given up. What they say, and to whom, is shown to nobody. */
export function mailCommand(): Command {
  const list = new Command('list')
    .description('lists letters that were given up: which, when, and why')
    .option('--json', 'answer as JSON')
    .exitOverride()
    .action(({ json }: { json?: boolean }) =>
      withStore(async (store) => {
        const dead = await store.listDead()
        process.stdout.write(json ? `${JSON.stringify({ letters: dead })}\n` : describe(dead))
      }),
    )
  const retry = new Command('retry')
    .description('has a letter that was given up delivered again; a running server begins at once')
    .argument('<id>', 'as `mail list` shows it')
    .option('--json', 'answer as JSON')
    .exitOverride()
    .action((id: string, { json }: { json?: boolean }) =>
      withStore(async (store) => {
        const retried = await store.retryDead(id)
        const told = retried
          ? `${id} waits for delivery again.`
          : `There is no letter ${id} that was given up.`
        process.stdout.write(json ? `${JSON.stringify({ id, retried })}\n` : `${told}\n`)
        if (!retried) process.exitCode = 1
      }),
    )
  return new Command('mail').description('letters that were given up').addCommand(list).addCommand(retry)
}

async function withStore(work: (store: DeliveryStore) => Promise<void>): Promise<void> {
  const { DATABASE_URL: url, DATA_DIR: dataDir } = readConfig(process.env)
  const database = await openDatabase({ url, dataDir, log: createLog('warn', true) })
  try {
    await work(createDeliveryStore(database.pool))
  } finally {
    await database.close()
  }
}

const describe = (dead: DeadLetter[]) =>
  dead.length
    ? dead
        .map(({ id, kind, createdAt, failure }) => `${id}  ${createdAt.toISOString()}  ${kind}  ${failure}\n`)
        .join('')
    : 'No letter was given up.\n'
