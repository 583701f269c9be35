// What a person can do with their passkeys: see them, add one, call one something else, remove one.
import type { KeyObject } from 'node:crypto'
import type { Policy } from '../../config.ts'
import { notFound } from '../../http/problem.ts'
import { type FieldError, type Form, view } from '../../http/view.ts'
import { type Day, dayOf } from '../../lib/day.ts'
import type { Passkey, PasskeyStore } from '../../users/passkeys.store.ts'
import type { User } from '../../users/user.ts'
import type { Manage, ManageAttempt, Managed, ManagePage } from '../manage.ts'
import { part } from '../method.ts'
import type { Ceremonies, Ceremony } from './ceremonies.ts'
import { checkAttestation, type Registered } from './checks.ts'
import { dataOf, handleOf, nameOf, newPasskey } from './data.ts'
import { creationOptions, type RelyingParty } from './relying-party.ts'
import { RESPONSE_MAX, readAttestation } from './response.ts'

const panelPart = view<{
  passkeys: { id: string; credentialId: string; name: string; added: Day; used: Day | null }[]
  addAction: string
  renameAction: string
  removeAction: string
  csrf: string
  isFull: boolean
  /** For `PublicKeyCredential.signalAllAcceptedCredentials`. */
  accepted: string
}>('methods/passkey/panel')

const addPart = view<Form & { options: string; lifetime: number; errors: FieldError[]; starts: boolean }>(
  'methods/passkey/add',
)

export type ManageDependencies = {
  passkeys: PasskeyStore
  ceremonies: Ceremonies
  handleKey: KeyObject
  rp: RelyingParty
  policy: Policy
  issuer: string
}

export function createPasskeyManage(deps: ManageDependencies): Manage {
  const { passkeys, ceremonies, handleKey, rp, policy, issuer } = deps
  const most = policy.passkeys.per_account
  const forgotUrl = `${issuer}/forgot`

  async function stateOf(user: User) {
    const existing = await passkeys.listPasskeys(user.id)
    return { existing, handle: handleOf(handleKey, user.id, existing) }
  }

  return {
    async panel({ user, action, csrf }) {
      const { existing, handle } = await stateOf(user)
      return part(panelPart, {
        passkeys: existing.map(shown),
        addAction: `${action}/add`,
        renameAction: `${action}/rename`,
        removeAction: `${action}/remove`,
        csrf,
        isFull: existing.length >= most,
        accepted: JSON.stringify({
          rpId: rp.id,
          userId: handle,
          allAcceptedCredentialIds: existing.map(({ credentialId }) => credentialId),
        }),
      })
    },
    acts: { add, rename, remove },
  }

  async function add(attempt: ManageAttempt): Promise<Managed> {
    const posted = attempt.fields('response', RESPONSE_MAX)
    const { existing, handle } = await stateOf(attempt.user)
    if (existing.length >= most) return redraw(attempt, full(most))
    if (posted === '') return redraw(attempt)
    const checked = await register(attempt, { posted, handle })
    if (typeof checked === 'string') return redraw(attempt, checked)
    return { change: () => keep(attempt, newPasskey(checked, handle)) }
  }

  /** The challenge is spent here, outside of the change: it stays spent whatever becomes of that. */
  async function register(
    attempt: ManageAttempt,
    { posted, handle }: { posted: string; handle: string },
  ): Promise<Registered | string> {
    const read = readAttestation(posted)
    if (!read) return NOT_ADDED
    const redeemed = await ceremonies.redeem(ceremonyOf(attempt, handle), read.challenge)
    if (redeemed !== 'fresh') return redeemed === 'expired' ? TOO_LATE : NOT_ADDED
    return (await checkAttestation(rp, read)) ?? NOT_ADDED
  }

  async function keep(attempt: ManageAttempt, fresh: ReturnType<typeof newPasskey>) {
    const { id: userId } = attempt.user
    const added = await passkeys.addPasskey(userId, fresh, most)
    if (added === 'full') return redraw(attempt, full(most))
    if (added === 'taken') return redraw(attempt, NOT_ADDED)
    const { name } = fresh.data
    return {
      event: { type: 'passkey.added' as const, userId, passkeyId: added.id, name },
      letter: { kind: 'factor_added' as const, factor: factorOf(name), forgotUrl },
    }
  }

  async function redraw(attempt: ManageAttempt, fault?: string) {
    const errors = fault === undefined ? [] : [{ field: 'passkey', message: fault }]
    return { page: await addPage(attempt, errors), errors }
  }

  async function addPage(attempt: ManageAttempt, errors: FieldError[]): Promise<ManagePage> {
    const { user, action, csrf } = attempt
    const { existing, handle } = await stateOf(user)
    const challenge = ceremonies.issue(ceremonyOf(attempt, handle))
    const ids = existing.map(({ credentialId }) => credentialId)
    const options = JSON.stringify(creationOptions(rp, { challenge, user, handle, existing: ids }))
    const form = { action: `${action}/add`, csrf }
    const data = { ...form, options, lifetime: rp.lifetime, errors, starts: errors.length === 0 }
    return { part: part(addPart, data), title: 'Add a passkey' }
  }

  /** Nothing ends with a name: it lets nobody in. */
  async function rename({ user, fields }: ManageAttempt): Promise<Managed> {
    const { id, aaguid } = await ownOf(user, fields('id'))
    const name = nameOf(fields('name'), aaguid)
    return {
      relabel: async () => {
        if (!(await passkeys.changePasskey(user.id, id, { name }))) throw notFound()
        return { type: 'passkey.renamed', userId: user.id, passkeyId: id, name }
      },
    }
  }

  async function remove({ user, fields }: ManageAttempt): Promise<Managed> {
    const { id, name } = await ownOf(user, fields('id'))
    return {
      change: async () => {
        if (!(await passkeys.removePasskey(user.id, id))) throw notFound()
        return {
          event: { type: 'passkey.removed', userId: user.id, passkeyId: id, name },
          letter: { kind: 'factor_removed', factor: factorOf(name), forgotUrl },
        }
      },
    }
  }

  /** @throws Problem 404 for one that is not the person's, whether or not it is somebody else's */
  async function ownOf(user: User, id: string) {
    const found = (await passkeys.listPasskeys(user.id)).find((passkey) => passkey.id === id)
    if (!found) throw notFound()
    return { id, ...dataOf(found) }
  }
}

/** Bound to the handle as well: what was made for another one could never be used. */
const ceremonyOf = ({ place }: ManageAttempt, handle: string): Ceremony => ({
  name: 'registration',
  place,
  about: handle,
})

/** As letters call it. */
const factorOf = (name: string) => (name === 'Passkey' ? 'Passkey' : `Passkey (${name})`)

function shown(passkey: Passkey) {
  const { name, lastUsedAt } = dataOf(passkey)
  const { id, credentialId, createdAt } = passkey
  const used = lastUsedAt === null ? null : dayOf(new Date(lastUsedAt))
  return { id, credentialId, name, added: dayOf(createdAt), used }
}

const NOT_ADDED = 'This passkey could not be added. Try once more, or use another device.'
const TOO_LATE = 'That took too long. Try once more, please.'
const full = (most: number) => `You have ${most} passkeys, and more cannot be kept. Remove one first.`
