// A refresh repeated within a short window gets the very same successor again, never a second one.
import type { KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, decodeProtectedHeader } from 'jose'
import Provider, { type Adapter, type KoaContextWithOIDC } from 'oidc-provider'
import { rowId } from '../artifacts/artifact.ts'
import type { ArtifactStore } from '../artifacts/store.ts'
import { mac } from '../lib/digest.ts'

const KIND = 'RefreshToken'

/** Consumes a refresh token for good, unless that was done already in favour of the same successor. */
export type Rotate = (token: string, successor: string) => Promise<void>

export type RefreshWindow = {
  /** The adapter of refresh tokens, forgiving the repeated request. */
  widen(adapter: Adapter, rotate: Rotate): Adapter
  /** Makes the Provider name a successor as `consume` settled it, instead of drawing a name itself. */
  attach(provider: Provider): void
}

/**
 * Applications refresh from several places at once, and answers get lost on the way. Who repeats the same request in
 * time is answered alike; whoever asks for something else, or later, is a thief or the victim of one, and the family
 * dies (RFC 9700, section 4.14.2).
 *
 * The successor of a token is no random draw: it follows from the token, what the request asks for and a secret of
 * ours. Requests that are the same arrive at the same one wherever they are served, and the consumed token's row
 * names the successor's row. Without our secret nobody who holds an old token can tell the next.
 *
 * @param length milliseconds from the first use, by the database's clock; 0 switches it off
 */
export function createRefreshWindow(
  store: ArtifactStore,
  { secrets, length }: { secrets: KeyObject[]; length: number },
): RefreshWindow {
  const successors = new WeakMap<KoaContextWithOIDC, string>()

  /** The successor that this same request, sent a moment ago, was given; undefined when it was another, or long ago. */
  async function findRepeated(ctx: KoaContextWithOIDC, token: string): Promise<string | undefined> {
    const consumption = (await store.find(KIND, token))?.consumption
    if (!consumption?.successor || consumption.age >= length) return undefined
    const request = await describeRequest(ctx)
    const candidates = secrets.map((secret) => mac(secret, token, request))
    return candidates.find((successor) => rowId(KIND, successor) === consumption.successor)
  }

  function widen(adapter: Adapter, rotate: Rotate): Adapter {
    return {
      ...adapter,
      async find(token) {
        const payload = await adapter.find(token)
        const ctx = refreshing(token)
        const repeated = payload?.['consumed'] && ctx && (await findRepeated(ctx, token))
        return repeated ? (await store.find(KIND, token))?.payload : payload
      },
      async consume(token) {
        const ctx = refreshing(token)
        if (!ctx) return adapter.consume(token)
        const successor =
          (await findRepeated(ctx, token)) ?? mac(secrets[0]!, token, await describeRequest(ctx))
        successors.set(ctx, successor)
        await rotate(token, successor)
      },
    }
  }

  return {
    widen: (adapter, rotate) => (length > 0 ? widen(adapter, rotate) : adapter),
    attach(provider) {
      const tokens = provider.RefreshToken.prototype as unknown as { generateTokenId(): string }
      const draw = tokens.generateTokenId
      tokens.generateTokenId = function () {
        return (Provider.ctx && successors.get(Provider.ctx)) ?? draw.call(this)
      }
    },
  }
}

/** The request the engine is working on, if it is a refresh with this token. */
function refreshing(token: string): KoaContextWithOIDC | undefined {
  const ctx = Provider.ctx
  const params = ctx?.oidc.params
  return params?.['grant_type'] === 'refresh_token' && params['refresh_token'] === token ? ctx : undefined
}

/** Requests are the same when client, scope, resources, authorization details and DPoP key are. */
async function describeRequest(ctx: KoaContextWithOIDC): Promise<string> {
  const { client, params } = ctx.oidc
  const { scope, resource, authorization_details: details } = params ?? {}
  return JSON.stringify([client?.clientId, scope, resource, details, await proofKey(ctx)])
}

/**
 * Thumbprint of the key of the request's DPoP proof (RFC 9449). Where the engine asks for proofs it has verified this
 * one before it looks for the token; where it does not, the header may hold anything and stands for nothing.
 */
async function proofKey(ctx: KoaContextWithOIDC): Promise<string | undefined> {
  const proof = ctx.get('DPoP')
  if (!proof) return undefined
  try {
    const { jwk } = decodeProtectedHeader(proof)
    return jwk && (await calculateJwkThumbprint(jwk))
  } catch {
    return undefined
  }
}
