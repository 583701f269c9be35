import type { Pool } from 'pg'
import { vi } from 'vitest'

export type Statement = { name: string; text: string; values: unknown[] }

/** The named statements a pool was given while `work` went on. */
export async function sentDuring(pool: Pool, work: () => Promise<unknown>): Promise<Statement[]> {
  const query = vi.spyOn(pool, 'query')
  try {
    await work()
    return query.mock.calls
      .map(([statement]) => statement as unknown as Statement)
      .filter((statement) => statement.name !== undefined)
  } finally {
    query.mockRestore()
  }
}

/** How many units of work travelled in this statement. */
export function countUnits({ values }: Statement): number {
  const rows = values.flatMap((json) => JSON.parse(String(json)) as { unit: number }[])
  return new Set(rows.map(({ unit }) => unit)).size
}
