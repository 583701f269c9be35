// What is kept of a passkey, and what it is called.
import type { KeyObject } from 'node:crypto'
import { z } from 'zod'
import { mac } from '../../lib/digest.ts'
import { oneLine } from '../../mail/words.ts'
import type { NewPasskey, Passkey } from '../../users/passkeys.store.ts'
import type { Registered } from './checks.ts'

const dataSchema = z.object({
  /** COSE_Key, base64url. */
  publicKey: z.string(),
  /** What its authenticator calls the person. */
  handle: z.string(),
  name: z.string(),
  aaguid: z.string(),
  transports: z.array(z.string()),
  /** May be copied to other devices by whoever keeps it; never changes. */
  backupEligible: z.boolean(),
  backedUp: z.boolean(),
  /** ISO 8601; null until it was used. */
  lastUsedAt: z.string().nullable(),
})

export type PasskeyData = z.output<typeof dataSchema>

export const dataOf = (passkey: Passkey): PasskeyData => dataSchema.parse(passkey.data)

/**
 * One handle for all passkeys of a person: 32 bytes that say nothing (WebAuthn L3, section 14.6.1). It stays what it was when
 * the first of them was made, whatever became of the key since.
 */
export function handleOf(key: KeyObject, userId: string, existing: Passkey[]): string {
  const [first] = existing
  return first ? dataOf(first).handle : mac(key, userId)
}

const NAME_MAX = 60

/** What the person typed, as it may stand in a letter as well; else where the passkey lives. */
export const nameOf = (typed: string, aaguid: string): string =>
  oneLine(typed).slice(0, NAME_MAX).trim() || (KEEPERS[aaguid] ?? 'Passkey')

export function newPasskey(registered: Registered, handle: string): NewPasskey & { data: PasskeyData } {
  const { credentialId, counter, ...kept } = registered
  const data = { ...kept, handle, name: nameOf('', kept.aaguid), lastUsedAt: null }
  return { credentialId, counter, data }
}

/** By AAGUID (https://github.com/passkeydeveloper/passkey-authenticator-aaguids; Yubico's list of its keys). */
const KEEPERS: Record<string, string> = {
  'fbfc3007-154e-4ecc-8c0b-6e020557d7bd': 'iCloud Keychain',
  'dd4ec289-e01d-41c9-bb89-70fa845d4bf2': 'iCloud Keychain',
  'ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4': 'Google Password Manager',
  'adce0002-35bc-c60a-648b-0b25f1f05503': 'Chrome on Mac',
  '08987058-cadc-4b81-b6e1-30de50dcbe96': 'Windows Hello',
  '9ddd1817-af5a-4672-a2b9-3e3dd95000a9': 'Windows Hello',
  '6028b017-b1d4-4c02-b4b3-afcdafc96bb2': 'Windows Hello',
  'bada5566-a7aa-401f-bd96-45619a55120d': '1Password',
  'd548826e-79b4-db40-a3d8-11116f7e8349': 'Bitwarden',
  '531126d6-e717-415c-9320-3d9aa6981239': 'Dashlane',
  'b84e4048-15dc-4dd0-8640-f4f60813c8af': 'NordPass',
  '50726f74-6f6e-5061-7373-50726f746f6e': 'Proton Pass',
  'fdb141b2-5d84-443e-8a35-4698c205a502': 'KeePassXC',
  '53414d53-554e-4700-0000-000000000000': 'Samsung Pass',
  'cb69481e-8ff7-4039-93ec-0a2729a154a8': 'YubiKey 5',
  'ee882879-721c-4913-9775-3dfcce97072a': 'YubiKey 5',
  'fa2b99dc-9e39-4257-8f92-4a30d23c4118': 'YubiKey 5',
  '2fc0579f-8113-47ea-b116-bb5a8db9202a': 'YubiKey 5',
  'c5ef55ff-ad9a-4b9f-b580-adebafe026d0': 'YubiKey 5',
}
