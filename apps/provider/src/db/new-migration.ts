// `npm run migration -- <name>`
import { relative } from 'node:path'
import { isMigrationName, writeNextMigration } from './next-migration.ts'
import { openScratch } from './schema-diff.ts'

const [name = '', ...rest] = process.argv.slice(2)
if (!isMigrationName(name) || rest.length > 0) {
  console.error(
    'usage: npm run migration -- <name>   (lower-case words joined by underscores: add_pairwise_subjects)',
  )
  process.exit(2)
}

const scratch = await openScratch()
const script = await writeNextMigration(name, { scratch })
await scratch.close()
console.log(
  script
    ? `${relative(process.cwd(), script)} is written. Read it: no data may be lost, and the previous release must run on it.`
    : 'The migrations already do all that the schema asks for: nothing to write.',
)
