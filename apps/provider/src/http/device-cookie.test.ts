import { afterAll, beforeAll, expect, test } from 'vitest'
import { serveKoa } from '../../test/support/koa.ts'
import { DAY } from '../lib/clock.ts'
import { createDeviceCookie } from './device-cookie.ts'

const ISSUER = 'http://localhost:4000'
const NAME = 'anteroom_device'
const cookie = createDeviceCookie(ISSUER, 30 * DAY)

let server: Awaited<ReturnType<typeof serveKoa>>
beforeAll(async () => {
  server = await serveKoa((ctx) => {
    const held = cookie.read(ctx)
    ctx.body = { held, added: ctx.path === '/add' ? cookie.add(ctx) : null }
  })
})
afterAll(() => server.close())

type Said = { held: string[]; added: string | null }

async function ask(path: string, sent = '') {
  const response = await fetch(server.address + path, { headers: { cookie: sent } })
  const lines = response.headers.getSetCookie()
  return {
    ...((await response.json()) as Said),
    lines,
    cookie: lines.map((line) => line.split(';')[0]).join('; '),
  }
}
const valueIn = (text: string) => /anteroom_device=([^;]*)/.exec(text)?.[1] ?? ''
const signatureIn = (text: string) => /anteroom_device\.sig=([^;]*)/.exec(text)?.[1] ?? ''

test('a browser holds what it was given, newest first', async () => {
  const first = await ask('/add')
  const second = await ask('/add', first.cookie)
  expect((await ask('/', second.cookie)).held).toEqual([second.added, first.added])
  expect(first.added).toMatch(/^[\w-]{43}$/)
  expect(second.held).toEqual([first.added])
})

test('each secret is new, whatever the browser brings', async () => {
  const planted = await ask('/add')
  const victim = await ask('/add', planted.cookie)
  expect(victim.added).not.toBe(planted.added)
})

test('of six secrets the oldest goes', async () => {
  const added: (string | null)[] = []
  let jar = ''
  for (let times = 0; times < 6; times++) {
    const answer = await ask('/add', jar)
    jar = answer.cookie
    added.unshift(answer.added)
  }
  expect((await ask('/', jar)).held).toEqual(added.slice(0, 5))
})

test('no script and no other site gets it, and it lives as long as the setting says', async () => {
  const { lines } = await ask('/add')
  const line = lines.find((each) => each.startsWith(`${NAME}=`))!
  expect(line).toMatch(/; path=\/;/)
  expect(line).toMatch(/; samesite=lax; httponly/)
  const expires = Date.parse(/expires=([^;]+)/.exec(line)![1]!)
  expect(Math.abs(expires - Date.now() - 30 * DAY)).toBeLessThan(60_000)
})

test('what is unsigned, edited, cut, forged or somebody else’s signature is nothing', async () => {
  const own = await ask('/add')
  const other = await ask('/add')
  const [value, signature] = [valueIn(own.cookie), signatureIn(own.cookie)]
  const flipped = (value.startsWith('A') ? 'B' : 'A') + value.slice(1)
  const signed = (text: string, by = signature) => `${NAME}=${text}; ${NAME}.sig=${by}`
  expect((await ask('/', signed(value))).held).toEqual([value])
  for (const sent of [
    `${NAME}=${value}`,
    signed(value, ''),
    signed(value, signature.slice(0, -1)),
    signed(value, signatureIn(other.cookie)),
    signed(valueIn(other.cookie)),
    signed(flipped),
    signed(value.slice(0, -1)),
    signed(`${value}.${valueIn(other.cookie)}`),
    signed(''),
    signed('x'.repeat(5000)),
    `${NAME}.sig=${signature}`,
  ])
    expect((await ask('/', sent)).held, sent.slice(0, 120)).toEqual([])
})
