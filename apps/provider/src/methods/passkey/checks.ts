// Is it what WebAuthn L3, sections 7.1 and 7.2 ask for? The library looks at most of it, the rest is looked at here.
import { hash } from 'node:crypto'
import { verifyAuthenticationResponse, verifyRegistrationResponse } from '@simplewebauthn/server'
import { decodeAttestationObject } from '@simplewebauthn/server/helpers'
import { ALGORITHMS, isSigned, readPublicKey } from './public-key.ts'
import type { RelyingParty } from './relying-party.ts'
import type { Assertion, Attestation, Read } from './response.ts'

/** Section 7.1, step 25. */
const CREDENTIAL_ID_BYTES_MAX = 1023
const TRANSPORTS = new Set(['ble', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'])

export type Registered = {
  credentialId: string
  /** COSE_Key, base64url. */
  publicKey: string
  counter: number
  aaguid: string
  transports: string[]
  backupEligible: boolean
  backedUp: boolean
}

/** The key an authenticator made for us; null when anything about it is not as it must be. */
export async function checkAttestation(
  rp: RelyingParty,
  { answer, challenge }: Read<Attestation>,
): Promise<Registered | null> {
  return orNull(async () => {
    const { id, response } = answer
    const format = formatOf(response.attestationObject)
    const { registrationInfo: info } = await verifyRegistrationResponse({
      response: { ...answer, response: { ...response, transports: [] }, clientExtensionResults: {} },
      expectedChallenge: challenge,
      expectedOrigin: rp.origins,
      expectedRPID: rp.id,
      requireUserVerification: true,
      supportedAlgorithmIDs: [...ALGORITHMS],
    })
    if (!info || info.credential.id !== id) return null
    if (Buffer.from(id, 'base64url').length > CREDENTIAL_ID_BYTES_MAX) return null
    const { alg } = readPublicKey(info.credential.publicKey)
    if (format.selfSignedWith !== null && format.selfSignedWith !== alg) return null
    return {
      credentialId: id,
      publicKey: Buffer.from(info.credential.publicKey).toString('base64url'),
      counter: info.credential.counter,
      aaguid: info.aaguid,
      transports: [...new Set(response.transports)].filter((each) => TRANSPORTS.has(each)),
      backupEligible: info.credentialDeviceType === 'multiDevice',
      backedUp: info.credentialBackedUp,
    }
  })
}

/**
 * We ask for no attestation and get none, or the key's own signature (section 5.4.7). Certificates are refused unread: the
 * library would look for their revocation at whatever address they name.
 * @throws Error
 */
function formatOf(attestationObject: string): { selfSignedWith: number | null } {
  const decoded = decodeAttestationObject(new Uint8Array(Buffer.from(attestationObject, 'base64url')))
  const statement = decoded.get('attStmt')
  if (decoded.get('fmt') === 'none') return { selfSignedWith: null }
  if (decoded.get('fmt') !== 'packed' || statement.get('x5c') !== undefined)
    throw new Error('an attestation that nobody asked for')
  return { selfSignedWith: statement.get('alg') ?? 0 }
}

export type Known = { publicKey: string; handle: string; backupEligible: boolean }
export type Signed = { counter: number; userVerified: boolean; backedUp: boolean }

/** What was signed with the passkey; null when anything about it is not as it must be. The counter is the caller's to judge. */
export async function checkAssertion(
  rp: RelyingParty,
  { answer, challenge }: Read<Assertion>,
  { known, alone }: { known: Known; alone: boolean },
): Promise<Signed | null> {
  return orNull(async () => {
    const { id, response } = answer
    const { userHandle = null, ...signed } = response
    const publicKey = new Uint8Array(Buffer.from(known.publicKey, 'base64url'))
    if (userHandle === null ? alone : userHandle !== known.handle) return null
    const { verified, authenticationInfo: info } = await verifyAuthenticationResponse({
      response: { ...answer, response: signed, clientExtensionResults: {} },
      expectedChallenge: challenge,
      expectedOrigin: rp.origins,
      expectedRPID: rp.id,
      requireUserVerification: alone,
      credential: { id, publicKey, counter: 0 },
    })
    const backupEligible = info.credentialDeviceType === 'multiDevice'
    if (!verified || !isSigned(publicKey, ...signedParts(signed))) return null
    if (backupEligible !== known.backupEligible) return null
    return {
      counter: info.newCounter,
      userVerified: info.userVerified,
      backedUp: info.credentialBackedUp,
    }
  })
}

/** What is signed, and the signature (section 6.3.3). */
function signedParts(said: Omit<Assertion['response'], 'userHandle'>): [Buffer, Buffer] {
  const bytesOf = (text: string) => Buffer.from(text, 'base64url')
  const clientHash = hash('sha256', bytesOf(said.clientDataJSON), 'buffer')
  return [Buffer.concat([bytesOf(said.authenticatorData), clientHash]), bytesOf(said.signature)]
}

/** The library throws at whatever it does not like, be it forged, broken or cut off. */
async function orNull<T>(check: () => Promise<T | null>): Promise<T | null> {
  try {
    return await check()
  } catch {
    return null
  }
}
