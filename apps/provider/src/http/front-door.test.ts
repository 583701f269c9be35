import type { Context } from 'koa'
import { afterEach, describe, expect, test } from 'vitest'
import { serveKoa } from '../../test/support/koa.ts'
import { sendRaw } from '../../test/support/raw.ts'
import { parseNetworks } from '../lib/networks.ts'
import { forwardedHeaders, pinHost } from './front-door.ts'

const ISSUER = 'https://id.example.com'
const PROXY = '127.0.0.1'

let server: Awaited<ReturnType<typeof serveKoa>>
afterEach(() => server.close())

const tell = (ctx: Context) => {
  ctx.body = { ip: ctx.ip, host: ctx.host, protocol: ctx.protocol, secure: ctx.secure }
}

async function ask(headers: Record<string, string>, { trusted = '', path = '/' } = {}) {
  const networks = trusted ? parseNetworks(trusted)! : undefined
  server = await serveKoa(forwardedHeaders(ISSUER, networks), pinHost(ISSUER), tell)
  const { status, body } = await sendRaw(server.address, {
    path,
    headers: { host: 'id.example.com', ...headers },
  })
  return {
    status,
    ...(status === 200 &&
      (JSON.parse(body) as { ip: string; host: string; protocol: string; secure: boolean })),
  }
}

describe('without TRUSTED_PROXIES', () => {
  test('nobody writes their own address, host or scheme', async () => {
    const headers = {
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
    }
    expect(await ask(headers)).toEqual({
      status: 200,
      ip: PROXY,
      host: 'id.example.com',
      protocol: 'https',
      secure: true,
    })
  })

  test('a foreign Host is not made ours by X-Forwarded-Host', async () => {
    expect(await ask({ host: 'evil.example', 'x-forwarded-host': 'id.example.com' })).toEqual({ status: 421 })
  })

  test('a proxy that is not on the list is nobody', async () => {
    expect(await ask({ 'x-forwarded-for': '203.0.113.9' }, { trusted: '10.0.0.0/8' })).toMatchObject({
      ip: PROXY,
    })
  })
})

describe('behind a trusted proxy', () => {
  const behind = (headers: Record<string, string>, trusted = PROXY) => ask(headers, { trusted })

  test('the address it saw is believed', async () => {
    expect(await behind({ 'x-forwarded-for': '203.0.113.9' })).toMatchObject({ ip: '203.0.113.9' })
  })

  test('what the person themselves wrote in front of it is not', async () => {
    expect(await behind({ 'x-forwarded-for': '198.51.100.1, 203.0.113.9' })).toMatchObject({
      ip: '203.0.113.9',
    })
    expect(await behind({ 'x-forwarded-for': 'unknown, "><script>, 203.0.113.9' })).toMatchObject({
      ip: '203.0.113.9',
    })
  })

  test('a chain of trusted proxies is followed to the first that is not ours', async () => {
    const chain = { 'x-forwarded-for': '198.51.100.1, 203.0.113.9, 10.0.0.7, 10.0.0.8' }
    expect(await behind(chain, `${PROXY}, 10.0.0.0/8`)).toMatchObject({ ip: '203.0.113.9' })
  })

  test('that says nothing of use, its own address counts', async () => {
    expect(await behind({})).toMatchObject({ ip: PROXY })
    expect(await behind({ 'x-forwarded-for': 'unknown' })).toMatchObject({ ip: PROXY })
  })

  test('the host it was called by is believed', async () => {
    expect(await behind({ host: 'provider:4000', 'x-forwarded-host': 'id.example.com' })).toMatchObject({
      host: 'id.example.com',
    })
    expect(await behind({ host: 'id.example.com', 'x-forwarded-host': 'evil.example' })).toEqual({
      status: 421,
    })
  })

  test('the scheme is the issuer’s all the same', async () => {
    expect(await behind({ 'x-forwarded-proto': 'http' })).toMatchObject({ secure: true })
  })
})

describe('a Host that is not the issuer’s', () => {
  test.each([
    ['another name', 'evil.example'],
    ['another port', 'id.example.com:8443'],
    ['a longer name', 'id.example.com.evil.example'],
    ['an address', '127.0.0.1'],
    ['a trailing dot', 'id.example.com.'],
  ])('is refused with 421: %s', async (_, host) => expect(await ask({ host })).toEqual({ status: 421 }))

  test('is ours when something was only put in front of it, and is then read without that', async () => {
    expect(await ask({ host: 'evil.example@id.example.com' })).toMatchObject({ host: 'id.example.com' })
  })

  test('is let to the health checks, which come by address', async () => {
    for (const path of ['/livez', '/readyz']) {
      expect(await ask({ host: '10.0.0.5:4000' }, { path })).toMatchObject({ status: 200 })
      await server.close()
    }
    expect(await ask({ host: '10.0.0.5:4000' }, { path: '/livez/../auth' })).toEqual({ status: 421 })
  })
})
