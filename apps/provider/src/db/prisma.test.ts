import { expect, test } from 'vitest'
import { nameStatements } from './prisma.ts'

test('the same statement always has the same name, another one another', () => {
  const name = nameStatements()
  expect(name({ sql: 'select 1' })).toBe(name({ sql: 'select 1' }))
  expect(name({ sql: 'select 2' })).not.toBe(name({ sql: 'select 1' }))
})

test('statements beyond the maximum run unprepared, those before it keep their names', () => {
  const name = nameStatements(2)
  const first = name({ sql: 'select 1' })
  name({ sql: 'select 2' })
  expect(name({ sql: 'select 3' })).toBe('')
  expect(name({ sql: 'select 1' })).toBe(first)
})
