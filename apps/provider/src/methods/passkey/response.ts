// What a browser brings back, as far as it can be read before anything of it is believed.
import { z } from 'zod'

/** Of the posted JSON, in characters; the largest honest one is a third of it. */
export const RESPONSE_MAX = 16 * 1024

/** In the one spelling there is of them, so that what we compare as text is the same bytes (RFC 4648, section 3.5). */
const bytes = z
  .string()
  .min(1)
  .refine((text) => Buffer.from(text, 'base64url').toString('base64url') === text)

const credential = { id: bytes, rawId: bytes, type: z.literal('public-key') }

const assertion = z
  .object({
    ...credential,
    response: z.object({
      clientDataJSON: bytes,
      authenticatorData: bytes,
      signature: bytes,
      /** Authenticators that know none say null, or nothing at all. */
      userHandle: z.union([bytes, z.literal('').transform(() => null), z.null()]).optional(),
    }),
  })
  .refine(({ id, rawId }) => id === rawId)

const attestation = z
  .object({
    ...credential,
    response: z.object({
      clientDataJSON: bytes,
      attestationObject: bytes,
      transports: z.array(z.string()).catch([]).default([]),
    }),
  })
  .refine(({ id, rawId }) => id === rawId)

/** CollectedClientData (WebAuthn L3, section 5.8.1). Nobody frames us: an answer from inside a frame is not ours. */
const clientData = z.object({
  type: z.enum(['webauthn.get', 'webauthn.create']),
  challenge: bytes,
  origin: z.string(),
  crossOrigin: z.literal(false).optional(),
  topOrigin: z.undefined().optional(),
})

export type Assertion = z.output<typeof assertion>
export type Attestation = z.output<typeof attestation>
/** With the challenge it says it answers. */
export type Read<Answer> = { answer: Answer; challenge: string }

export const readAssertion = (posted: string) => read(assertion, 'webauthn.get', posted)
export const readAttestation = (posted: string) => read(attestation, 'webauthn.create', posted)

/** Null for whatever is not the answer of an authenticator. */
function read<Answer extends { response: { clientDataJSON: string } }>(
  schema: z.ZodType<Answer>,
  type: z.output<typeof clientData>['type'],
  posted: string,
): Read<Answer> | null {
  const answer = schema.safeParse(parseJson(posted)).data
  const said = answer && Buffer.from(answer.response.clientDataJSON, 'base64url').toString('utf8')
  const client = said && clientData.safeParse(parseJson(said)).data
  return client && client.type === type ? { answer, challenge: client.challenge } : null
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
