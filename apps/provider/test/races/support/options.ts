import { createSecretKey } from 'node:crypto'
import type { CommitOptions } from '../../../src/db/commit.ts'

/** The same in all processes, or the successors they derive would differ. */
export const SECRET = createSecretKey(Buffer.alloc(32, 'races'))

/** Nobody shares a statement with anybody: twenty requests wait in PostgreSQL itself, all at once. */
export const NO_COMPANY: CommitOptions = { lanes: 20, size: 1 }

/** Twenty commits, and whoever reads meanwhile. */
export const MAX_CONNECTIONS = 22
