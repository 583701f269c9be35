import type { Pool } from 'pg'
import { rowId } from '../../../src/artifacts/artifact.ts'
import type { ArtifactStore } from '../../../src/artifacts/store.ts'

/** What most adapters do: trust the check made before, mark, and carry on. Shows that a race test can fail. */
export function createNaiveStore(store: ArtifactStore, pool: Pool): ArtifactStore {
  return {
    ...store,
    async consume(kind, id) {
      await pool.query('update artifacts set consumed_at = now() where kind = $1 and id = $2', [
        kind,
        rowId(kind, id),
      ])
    },
    async claim(artifact) {
      await store.upsert(artifact)
      return true
    },
  }
}
