import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'

const FILE = 'secret-key'
const BYTES = 32

/**
 * The key that seals what must stay secret at rest, made at first start and kept beside the embedded database.
 * For development: in production SECRET_KEY comes from outside, so that a stolen data folder alone opens nothing.
 */
export async function developmentSecret(dataDir: string): Promise<Buffer> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const file = path.join(dataDir, FILE)
  const draft = `${file}.${process.pid}`
  await writeFile(draft, `${randomBytes(BYTES).toString('base64')}\n`, { mode: 0o600 })
  try {
    // Whole or not at all; of two processes that start at once the first one's key counts.
    await link(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(draft)
  }
  return Buffer.from((await readFile(file, 'utf8')).trim(), 'base64')
}
