import { pbkdf2 } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { getPriority } from 'node:os'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { lowerPoolPriority } from './threads.ts'

test.skipIf(process.platform !== 'linux')(
  'the threads of the pool stand back, the one that answers does not',
  async () => {
    await promisify(pbkdf2)('x', 'y', 1, 32, 'sha256')
    const before = getPriority(process.pid)
    expect(lowerPoolPriority()).toBeGreaterThan(0)
    const lowered = readdirSync('/proc/self/task').filter((id) => getPriority(Number(id)) > before)
    expect(lowered.length).toBeGreaterThan(0)
    expect(getPriority(process.pid)).toBe(before)
  },
)
