// What browsers and authenticators are told, in the JSON forms of WebAuthn L3, section 5.1.
import type {
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/server'
import type { Policy } from '../../config.ts'
import type { User } from '../../users/user.ts'
import { ALGORITHMS } from './public-key.ts'

/** Who asks for passkeys. */
export type RelyingParty = {
  /** The domain they are made for. */
  id: string
  name: string
  /** Exact ones that may ask. */
  origins: string[]
  /** Milliseconds a person may take; what is signed later is refused. */
  lifetime: number
}

export const relyingParty = (deps: { issuer: string; service: string; policy: Policy }): RelyingParty => ({
  id: deps.policy.passkeys.rp_id ?? new URL(deps.issuer).hostname,
  name: deps.service,
  origins: [deps.issuer, ...deps.policy.passkeys.origins],
  lifetime: deps.policy.lifetimes.passkey_challenge,
})

export type Verification = 'required' | 'preferred'

/** Any passkey of this domain: naming those of a person would tell who has an account (WebAuthn L3, section 14.6.2). */
export const requestOptions = (
  rp: RelyingParty,
  { challenge, verification }: { challenge: string; verification: Verification },
): PublicKeyCredentialRequestOptionsJSON => ({
  challenge,
  rpId: rp.id,
  timeout: rp.lifetime,
  userVerification: verification,
  allowCredentials: [],
})

type Wanted = { challenge: string; user: User; handle: string; existing: string[] }

export const creationOptions = (
  rp: RelyingParty,
  { challenge, user, handle, existing }: Wanted,
): PublicKeyCredentialCreationOptionsJSON => ({
  challenge,
  rp: { id: rp.id, name: rp.name },
  user: { id: handle, name: user.email, displayName: user.name ?? user.email },
  pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
  timeout: rp.lifetime,
  attestation: 'none',
  authenticatorSelection: {
    residentKey: 'required',
    requireResidentKey: true,
    userVerification: 'required',
  },
  excludeCredentials: existing.map((id) => ({ type: 'public-key', id })),
})
