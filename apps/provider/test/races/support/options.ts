import { createSecretKey } from 'node:crypto'
import type { CommitOptions } from '../../../src/db/commit.ts'

/** The same in all processes, or the successors they derive would differ. */
export const SECRET = createSecretKey(Buffer.alloc(32, 'races'))

/** Long enough for twenty to arrive on a machine that does other things besides. */
const lockWait = 4000

export const IN_COMPANY: Partial<CommitOptions> = { lockWait }

/** Nobody shares a statement with anybody: twenty requests wait in PostgreSQL itself, all at once. */
export const NO_COMPANY: CommitOptions = { lanes: 20, size: 1, lockWait }

/** Twenty commits, and whoever reads meanwhile. */
export const MAX_CONNECTIONS = 22
