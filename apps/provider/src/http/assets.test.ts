import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serveKoa } from '../../test/support/koa.ts'
import { sendRaw } from '../../test/support/raw.ts'
import { type Assets, createAssets } from './assets.ts'

const CSS = 'body { color: black }\n'.repeat(50)
const folder = mkdtempSync(join(tmpdir(), 'anteroom-assets-'))

let assets: Assets
let server: Awaited<ReturnType<typeof serveKoa>>
beforeAll(async () => {
  writeFileSync(join(folder, 'page.css'), CSS)
  writeFileSync(join(folder, 'notes.txt'), 'not for the world')
  assets = createAssets(folder)
  server = await serveKoa(assets.middleware)
})
afterAll(async () => {
  await server.close()
  rmSync(folder, { recursive: true })
})

const get = (path: string, encoding = 'identity', method = 'GET') =>
  fetch(`${server.address}${path}`, { method, headers: { 'accept-encoding': encoding } })

describe('a file', () => {
  test('is named by its content and so kept for ever', async () => {
    const url = assets.url('page.css')
    expect(url).toMatch(/^\/assets\/page\.[0-9a-f]{8}\.css$/)
    const response = await get(url)
    expect(await response.text()).toBe(CSS)
    expect(response.headers.get('content-type')).toBe('text/css; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(response.headers.get('vary')).toBe('Accept-Encoding')
  })

  test('gets another name with another content', () => {
    const before = assets.url('page.css')
    writeFileSync(join(folder, 'page.css'), `${CSS} `)
    expect(createAssets(folder).url('page.css')).not.toBe(before)
  })

  test.each(['br', 'gzip'])('travels as %s to a browser that reads it', async (encoding) => {
    const response = await get(assets.url('page.css'), encoding)
    expect(response.headers.get('content-encoding')).toBe(encoding)
    expect(Number(response.headers.get('content-length'))).toBeLessThan(CSS.length)
    expect(await response.text()).toBe(CSS)
  })

  test('answers HEAD with its headers alone', async () => {
    const response = await get(assets.url('page.css'), 'identity', 'HEAD')
    expect([response.status, await response.text()]).toEqual([200, ''])
    expect(response.headers.get('content-length')).toBe(String(CSS.length))
  })
})

describe('T138: nothing else of the machine is served', () => {
  test.each([
    '/assets/page.css',
    '/assets/',
    '/assets',
    '/assets/notes.txt',
    '/assets/../package.json',
    '/assets/%2e%2e/package.json',
    '/assets/..%2fpackage.json',
    '//assets/page.css',
    '/assets/page.00000000.css',
  ])('%s', async (path) => expect((await sendRaw(server.address, { path })).status).toBe(404))

  test('a file is not to be had with another method', async () => {
    for (const method of ['POST', 'PUT', 'DELETE'])
      expect((await get(assets.url('page.css'), 'identity', method)).status).toBe(404)
  })
})

test('a page that names a file that is not there is told so', () => {
  expect(() => assets.url('absent.css')).toThrow('no such asset: absent.css')
})
