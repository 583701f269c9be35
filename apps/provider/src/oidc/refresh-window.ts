// A refresh repeated within a short window gets the very same successor again, never a second one.
import { calculateJwkThumbprint, decodeProtectedHeader } from 'jose'
import Provider, { type Adapter, errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { ArtifactStore } from '../artifacts/store.ts'
import { digest, mac } from '../lib/digest.ts'
import { randomToken } from '../lib/ids.ts'
import { hkdf, openWith, sealWith } from '../lib/seal.ts'

const KIND = 'RefreshToken'

type Rotation = { predecessor: string; successor: string }

export type RefreshWindow = {
  /** The adapter of refresh tokens, forgiving the repeated request. */
  widen(adapter: Adapter): Adapter
  /** Makes the Provider name a successor as `consume` settled it, instead of drawing a name itself. */
  attach(provider: Provider): void
}

/**
 * Applications refresh from several places at once, and answers get lost on the way. Who repeats the same request in
 * time is answered alike; whoever asks for something else, or later, is a thief or the victim of one, and the family
 * dies (RFC 9700, section 4.14.2).
 *
 * The engine finds a token, checks it, consumes it, makes a successor and saves that. The successor's name is settled
 * in the moment of consumption, in the same row: whichever request comes later, here or in another process, after a
 * crash too, can only arrive at that one.
 *
 * @param length milliseconds from the first use, by the database's clock; 0 switches it off.
 */
export function createRefreshWindow(store: ArtifactStore, length: number): RefreshWindow {
  const rotations = new WeakMap<KoaContextWithOIDC, Rotation>()
  const currentRotation = () => (Provider.ctx ? rotations.get(Provider.ctx) : undefined)

  /** Was it this same request, sent a moment ago, that used the token up? */
  async function isRepeated(token: string): Promise<boolean> {
    const ctx = refreshing(token)
    const consumption = (await store.find(KIND, token))?.consumption
    if (!ctx || !consumption?.rotation || consumption.age >= length) return false
    return consumption.rotation.requestedBy === (await requestMac(ctx, token))
  }

  /**
   * The one successor of the token, or undefined for a request that has no claim to it. Who arrives second here was in
   * time when the token was found, however long the database then took.
   */
  async function settle(ctx: KoaContextWithOIDC, token: string): Promise<string | undefined> {
    const requestedBy = await requestMac(ctx, token)
    const successor = randomToken()
    if (await store.consume(KIND, token, { requestedBy, successor: seal(token, successor) })) return successor
    const settled = (await store.find(KIND, token))?.consumption?.rotation
    return settled?.requestedBy === requestedBy ? open(token, settled.successor) : undefined
  }

  function widen(adapter: Adapter): Adapter {
    return {
      ...adapter,
      async find(token) {
        const payload = await adapter.find(token)
        if (!payload?.consumed || !(await isRepeated(token))) return payload
        return { ...payload, consumed: undefined }
      },
      async consume(token) {
        const ctx = refreshing(token)
        const successor = ctx && (await settle(ctx, token))
        if (!successor) return adapter.consume(token)
        rotations.set(ctx, { predecessor: token, successor })
      },
      async upsert(id, payload, lifetime) {
        const rotation = currentRotation()
        if (rotation?.successor !== id) return adapter.upsert(id, payload, lifetime)
        const alive = await store.succeed({ kind: KIND, id, payload, lifetime }, rotation.predecessor)
        if (!alive) throw new errors.InvalidGrant('refresh token was revoked meanwhile')
      },
    }
  }

  return {
    widen: (adapter) => (length > 0 ? widen(adapter) : adapter),
    attach(provider) {
      const tokens = provider.RefreshToken.prototype as unknown as { generateTokenId(): string }
      const draw = tokens.generateTokenId
      tokens.generateTokenId = function () {
        return currentRotation()?.successor ?? draw.call(this)
      }
    },
  }
}

/** The request the engine is working on, if it is a refresh with this token. */
function refreshing(token: string): KoaContextWithOIDC | undefined {
  const ctx = Provider.ctx
  const params = ctx?.oidc.params
  return params?.grant_type === 'refresh_token' && params.refresh_token === token ? ctx : undefined
}

/** What makes two refresh requests the same: client, scope, resources, authorization details and DPoP key. */
async function requestMac(ctx: KoaContextWithOIDC, token: string): Promise<string> {
  const { client, params } = ctx.oidc
  const { scope, resource, authorization_details: details } = params ?? {}
  const request = [client?.clientId, scope, resource, details, await proofKey(ctx)]
  return mac(hkdf(token, 'refresh-request'), JSON.stringify(request))
}

/**
 * Thumbprint of the key of the request's DPoP proof (RFC 9449). Where the engine asks for proofs it has verified this
 * one before it looks for the token; where it does not, the header may hold anything and stands for nothing.
 */
async function proofKey(ctx: KoaContextWithOIDC): Promise<string | undefined> {
  try {
    const { jwk } = decodeProtectedHeader(ctx.get('DPoP'))
    return jwk && (await calculateJwkThumbprint(jwk))
  } catch {
    return undefined
  }
}

const seal = (token: string, successor: string) => sealWith(sealingKey(token), successor, row(token))
const open = (token: string, sealed: Buffer) => openWith(sealingKey(token), sealed, row(token)).toString()
const sealingKey = (token: string) => hkdf(token, 'refresh-successor')
const row = (token: string) => `artifacts/${KIND}/${digest(token)}`
