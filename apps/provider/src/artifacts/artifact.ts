// How one thing the protocol engine remembers becomes a row, and how it is known without its secret being kept.
import { digest } from '../lib/digest.ts'

/** The engine's own words. Those named here have a column; the others, unknown ones too, survive in the JSON. */
export type Payload = {
  jti?: string
  /** Seconds since 1970, by the engine's clock. */
  exp?: number
  grantId?: string
  accountId?: string
  clientId?: string
  uid?: string
  userCode?: string
  consumed?: unknown
  /** Of an interaction: what the person has proved. `generation` is the one they had then. */
  result?: { login?: { accountId: string; generation?: unknown } }
  /** Of a session, by client. */
  authorizations?: Record<string, { grantId?: string }>
}

/** `id` as the engine knows it; `lifetime` in seconds from now, none means for ever. */
export type Artifact = { kind: string; id: string; payload: Payload; lifetime?: number }

/** Kinds whose id is the secret itself: whoever holds it may act, so the table holds only its SHA-256. */
const BEARER = new Set([
  'AccessToken',
  'AuthorizationCode',
  'ClientCredentials',
  'InitialAccessToken',
  'PreAuthorizedCode',
  'PushedAuthorizationRequest',
  'RefreshToken',
  'RegistrationAccessToken',
  'Session',
])

/** Kinds that die with the grant they were issued from. */
const GRANTED = new Set([
  'AccessToken',
  'AuthorizationCode',
  'BackchannelAuthenticationRequest',
  'DeviceCode',
  'PreAuthorizedCode',
  'RefreshToken',
])

/** Kinds that stand for a person who was there: they die with the generation they were written in (decision 014). */
const OF_A_GENERATION = new Set(['Grant', 'Session'])

const LONGEST_KEY = 512
/** A lifetime may be whatever `exp` a client wrote into its assertion; a century is as good as for ever. */
const CENTURY = 100 * 365 * 24 * 60 * 60

/** The value of the `id` column. */
export const rowId = (kind: string, id: string): string => (BEARER.has(kind) ? digest(id) : columnText(id))

/**
 * PostgreSQL's text holds neither NUL nor half a surrogate pair, and its indexes no long value. Such a text, typed by
 * someone trying, is known by its digest instead: looked up it is not found, which is all there is to say about it.
 */
export function columnText(text: string): string {
  const fits = text.isWellFormed() && !text.includes('\0') && text.length <= LONGEST_KEY
  return fits ? text : digest(JSON.stringify(text))
}

/** The columns of a row; `payload` is text already, because PostgreSQL's record functions refuse a NUL in it. */
export type Row = {
  kind: string
  id: string
  grant_id: string | null
  user_id: string | null
  client_id: string | null
  uid: string | null
  user_code: string | null
  grant_ids: string[] | null
  generation: number | null
  payload: string
  /** Seconds from now; null means for ever. */
  lifetime: number | null
  consumed: boolean
}

/** Whose generation is written with it, and ends it. */
export const signedBy = ({ kind, payload }: Artifact): string | undefined =>
  OF_A_GENERATION.has(kind) ? payload.accountId : undefined

/** `of` is what was written, null before generations were; `current` is the person's now. */
export const isOutlived = (kind: string, of: number | null, current: number): boolean =>
  OF_A_GENERATION.has(kind) && (of ?? 0) < current

/** An interaction is about whoever proved to be somebody in it, as soon as they did. */
const personOf = ({ accountId, result }: Payload) => result?.login?.accountId ?? accountId

export function toRow({ kind, id, payload, lifetime }: Artifact, generation: number | null = null): Row {
  const { jti, grantId, clientId, uid, userCode, consumed } = payload
  const kept = { ...payload, jti: BEARER.has(kind) ? undefined : jti, consumed: undefined }
  return {
    kind,
    id: rowId(kind, id),
    grant_id: GRANTED.has(kind) ? optionalText(grantId) : null,
    user_id: optionalText(personOf(payload)),
    client_id: optionalText(clientId),
    uid: optionalText(uid),
    user_code: optionalText(userCode),
    grant_ids: kind === 'Session' ? grantsOf(payload) : null,
    generation,
    payload: JSON.stringify(kept),
    lifetime: lifetime === undefined ? null : Math.min(lifetime, CENTURY),
    consumed: Boolean(consumed),
  }
}

/** What a session's clients were granted: whoever looks for the session will look for these next. */
function grantsOf({ authorizations = {} }: Payload): string[] {
  return Object.values(authorizations).flatMap(({ grantId }) => (grantId ? [columnText(grantId)] : []))
}

/** The payload as the engine gave it, the id it was asked for put back. */
export function withId(kind: string, id: string, payload: Payload): Payload {
  return BEARER.has(kind) ? { ...payload, jti: id } : payload
}

const optionalText = (text: string | undefined) => (text ? columnText(text) : null)
