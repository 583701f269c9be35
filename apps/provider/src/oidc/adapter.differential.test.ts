// oidc-provider's own memory adapter says what is right; ours must give the same answer to every call of any sequence.
import fc from 'fast-check'
import type { Adapter, AdapterPayload } from 'oidc-provider'
import { createMemoryAdapter } from 'oidc-provider/lib/adapters/memory_adapter.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SECRET } from '../../test/races/support/options.ts'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { createArtifactStore } from '../artifacts/store.ts'
import type { Database } from '../db/database.ts'
import { createUnitOfWork, type UnitOfWork } from '../db/unit-of-work.ts'
import { digest } from '../lib/digest.ts'
import { createEngineStorage } from './adapter.ts'

const KINDS = [
  'AccessToken',
  'AuthorizationCode',
  'BackchannelAuthenticationRequest',
  'Client',
  'ClientCredentials',
  'DeviceCode',
  'Grant',
  'InitialAccessToken',
  'Interaction',
  'PreAuthorizedCode',
  'PushedAuthorizationRequest',
  'RefreshToken',
  'RegistrationAccessToken',
  'ReplayDetection',
  'Session',
]
/** Long, and nothing PostgreSQL could compress to fit an index. */
const NOISE = Array.from({ length: 200 }, (_, index) => digest(`${index}`)).join('')
const IDS = ['one', 'nul\0', '\ud800 half 😀', NOISE]
const ALIASES = ['a', 'b\0']
const GRANTS = ['grant', 'nul\0 grant']
const OURS_TO_NAME = /^(jti|kind|uid|userCode|grantId|accountId|clientId|consumed|exp|iat|session)$/

type Call =
  | { name: 'upsert'; id: string; extra: object; alias: string; grantId?: string; lifetime?: number }
  | { name: 'find' | 'findByUid' | 'findByUserCode' | 'consume' | 'destroy'; id: string; alias: string }
  | { name: 'revokeByGrantId'; id: string }

/** Anything JSON can say: every code point, NUL and halves of pairs among them. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('\0', '\ud800', '\udfff\ud800', 'é'.repeat(2000)),
)
const json = fc.oneof(fc.jsonValue({ stringUnit: 'binary' }), text, fc.array(text))
const extra = fc.dictionary(text, json, { maxKeys: 5 }).map(keepUnknown)
const id = fc.constantFrom(...IDS)
/** What a session's uid and a device's user code end in: it may change when they are saved again. */
const alias = fc.constantFrom(...ALIASES)
const call: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      name: fc.constant('upsert' as const),
      id,
      extra,
      alias,
      grantId: fc.option(fc.constantFrom(...GRANTS), { nil: undefined }),
      lifetime: fc.constantFrom(undefined, 60, 3600, 2 ** 31),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      name: fc.constantFrom('find' as const, 'find', 'findByUid', 'findByUserCode', 'consume', 'destroy'),
      id,
      alias,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ name: fc.constant('revokeByGrantId' as const), id: fc.constantFrom(...GRANTS) }),
  },
)

/** Few names, so that calls meet; next to the kind itself two that share its grants. */
const sequenceOf = (kind: string) => {
  const kinds = fc.constantFrom(kind, kind, kind, 'AccessToken', 'RefreshToken')
  return fc.array(fc.tuple(kinds, call), { minLength: 20, maxLength: 60, size: 'max' })
}

/** A failure is told before the test's own time is over: what runs on would disturb the next. */
const OPTIONS = { numRuns: 15, interruptAfterTimeLimit: 20_000 }

let database: TestDatabase
let opened: Database
let work: UnitOfWork
beforeAll(async () => {
  database = await createTestDatabase()
  opened = await database.open()
  work = createUnitOfWork(opened)
})
afterAll(() => database.drop())

/** Both memories, empty. */
async function prepare() {
  await opened.pool.query('delete from artifacts')
  const store = createArtifactStore(opened.pool, work)
  const storage = createEngineStorage(store, { secrets: [SECRET], refreshWindow: 10_000 })
  return { memory: adapters(createMemoryAdapter()), ours: adapters(storage.adapter) }
}

test.each(KINDS)('a %s answers every sequence of calls as it would in memory', async (kind) => {
  await fc.assert(
    fc.asyncProperty(sequenceOf(kind), async (calls) => {
      const { memory, ours } = await prepare()
      for (const [kind, call] of calls) {
        if (await differsOnPurpose(memory(kind), kind, call)) continue
        const expected = await answer(memory(kind), kind, call)
        expect(await answer(ours(kind), kind, call), `${kind}.${call.name}`).toEqual(expected)
      }
    }),
    OPTIONS,
  )
})

// An assertion is written down at once, whatever becomes of the unit.
const GATHERED = KINDS.filter((kind) => kind !== 'ReplayDetection')

test.each(GATHERED)(
  'a %s answers so within units of work too, and is found as it was left when they are committed',
  async (kind) => {
    await fc.assert(
      fc.asyncProperty(unitsOf(kind), async (units) => {
        const { memory, ours } = await prepare()
        for (const calls of units) {
          const limits = await createLimits(memory)
          await work.run(async () => {
            for (const [kind, call] of calls) {
              if (await differsOnPurpose(memory(kind), kind, call)) continue
              if (await limits.forbid(kind, call)) continue
              const expected = await answer(memory(kind), kind, call)
              expect(await answer(ours(kind), kind, call), `${kind}.${call.name}`).toEqual(expected)
            }
          })
          await Promise.all(
            looksInto(kind).map(async ([kind, call]) => {
              const [expected, found] = await Promise.all([
                answer(memory(kind), kind, call),
                answer(ours(kind), kind, call),
              ])
              expect(found, `${kind}.${call.name} after the commit`).toEqual(expected)
            }),
          )
        }
      }),
      OPTIONS,
    )
  },
)

/** A sequence cut into units. */
const unitsOf = (kind: string) =>
  fc
    .tuple(sequenceOf(kind), fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }))
    .map(([calls, ends]) => {
      const units: (typeof calls)[] = [[]]
      for (const [index, call] of calls.entries()) {
        units.at(-1)!.push(call)
        if (ends[index]) units.push([])
      }
      return units
    })

/** Every question that can be asked about what the sequence left behind. */
function looksInto(kind: string): [string, Call][] {
  const byId = [...new Set([kind, 'AccessToken', 'RefreshToken'])].flatMap((kind) =>
    IDS.map((id): [string, Call] => [kind, { name: 'find', id, alias: '' }]),
  )
  const byAlias = { Session: 'findByUid' as const, DeviceCode: 'findByUserCode' as const }[kind]
  if (!byAlias) return byId
  const others = IDS.flatMap((id) =>
    ALIASES.map((alias): [string, Call] => [kind, { name: byAlias, id, alias }]),
  )
  return [...byId, ...others]
}

/**
 * What a unit is not asked for: a claim is for what an earlier unit saved; what was consumed is not saved again in the
 * same unit, nor anew where it was removed; and what is consumed and revoked in one unit is left there, consumed.
 */
async function createLimits(memory: (kind: string) => Adapter) {
  const stored = new Set<string>()
  const consumed = new Set<string>()
  const saved = new Set<string>()
  let hasClaimed = false
  for (const kind of KINDS)
    for (const id of IDS) {
      const found = await memory(kind).find(id)
      if (found) stored.add(kind + id)
      if (found?.consumed) consumed.add(kind + id)
    }
  return {
    async forbid(kind: string, { name, id }: Call): Promise<boolean> {
      const key = kind + id
      const isThere = (await memory(kind).find(id)) !== undefined
      if (name === 'upsert') {
        if (consumed.has(key) && (!isThere || !stored.has(key))) return true
        saved.add(key)
      }
      if (name === 'consume') {
        if (!stored.has(key) || saved.has(key) || !isThere) return true
        stored.delete(key)
        consumed.add(key)
        hasClaimed = true
      }
      if (name === 'revokeByGrantId') return hasClaimed
      return name === 'destroy' && kind === 'Interaction' && !stored.has(key)
    },
  }
}

/** One adapter per kind, as a Provider makes them. */
function adapters(factory: (kind: string) => Adapter) {
  const made = new Map(KINDS.map((kind) => [kind, factory(kind)]))
  return (kind: string) => made.get(kind)!
}

/** What `adapter.test.ts` states as a difference: the second consumption, claim of an assertion, end of a journey. */
async function differsOnPurpose(memory: Adapter, kind: string, call: Call): Promise<boolean> {
  const there = await memory.find(call.id)
  if (call.name === 'consume') return Boolean(there?.consumed)
  if (call.name === 'destroy') return kind === 'Interaction' && there === undefined
  return call.name === 'upsert' && kind === 'ReplayDetection' && there !== undefined
}

async function answer(adapter: Adapter, kind: string, call: Call) {
  try {
    return comparable(await perform(adapter, kind, call), call)
  } catch {
    return 'thrown'
  }
}

async function perform(adapter: Adapter, kind: string, call: Call) {
  switch (call.name) {
    case 'upsert':
      return adapter.upsert(call.id, payloadFor(kind, call, await adapter.find(call.id)), call.lifetime)
    case 'findByUid':
      return kind === 'Session' ? adapter.findByUid(call.id + call.alias) : undefined
    case 'findByUserCode':
      return kind === 'DeviceCode' ? adapter.findByUserCode(call.id + call.alias) : undefined
    default:
      return adapter[call.name](call.id)
  }
}

/** As the engine makes it: names itself, and keeps `consumed` when it saves again what it found. */
function payloadFor(
  kind: string,
  call: Call & { name: 'upsert' },
  before: Awaited<ReturnType<Adapter['find']>>,
) {
  const { id, alias, grantId, extra } = call
  const own = kind === 'Client' ? { client_id: id } : { jti: id, kind, grantId }
  const lookedUp = { Session: { uid: id + alias }, DeviceCode: { userCode: id + alias } }[kind]
  const payload = { ...extra, ...own, ...lookedUp, accountId: 'someone', consumed: before?.consumed }
  return JSON.parse(JSON.stringify(payload)) as AdapterPayload
}

/** When something was consumed is told in seconds of two clocks; and a session found by uid has no id with us. */
function comparable(payload: unknown, call: Call) {
  if (!payload) return undefined
  const { consumed, jti, ...rest } = structuredClone(payload) as AdapterPayload
  return { ...rest, consumed: Boolean(consumed), jti: call.name === 'findByUid' ? undefined : jti }
}

function keepUnknown(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => !OURS_TO_NAME.test(key)))
}
