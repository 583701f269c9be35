// Signing in with an e-mail address and a password.
import { z } from 'zod'
import { type FieldError, view } from '../../http/view.ts'
import { parseEmail } from '../../lib/email.ts'
import { lowerPoolPriority } from '../../lib/threads.ts'
import type { UserStore } from '../../users/store.ts'
import { type Attempt, type Outcome, part, type SignInMethod } from '../method.ts'
import { accountAllowances } from './allowances.ts'
import type { Hasher } from './hasher.ts'
import { createManage, hasPassword } from './manage.ts'
import { isOverlong, judgePassword, normalizePassword, type PasswordRules } from './strength.ts'

const signInField = view<{
  action: string
  focused: boolean
  errors: FieldError[]
  forgotUrl: string
}>('methods/password/sign-in')
const enrolField = view<{ errors: FieldError[]; minLength: number }>('methods/password/enrol')

const dataSchema = z.object({ hash: z.string() })

// The longest field we read; the judgement on what is too long for a password is made in code points.
const FIELD_MAX = 20_000

export type PasswordDependencies = {
  users: UserStore
  hasher: Hasher
  rules: PasswordRules
  service: string
  issuer: string
  /** Milliseconds that too many wrong passwords close this way. */
  lockedFor: number
}

export function createPasswordMethod(deps: PasswordDependencies): SignInMethod {
  const { users, hasher, rules, service, issuer, lockedFor } = deps
  // Verified against where there is no account, so that the clock does not tell who has one.
  const decoy = hasher.hash(crypto.randomUUID())
  // The first hash starts the threads that all hashes run on.
  decoy.then(lowerPoolPriority).catch(() => undefined)

  const verify = async ({ fields }: Attempt): Promise<Outcome> => {
    const email = parseEmail(fields('email'))
    const password = normalizePassword(fields('password', FIELD_MAX))
    const missing = missingFields(fields('email'), password)
    if (missing.length) return { ok: false, reason: 'incomplete', errors: missing }
    if (isOverlong(password)) return wrong()

    const user = email && (await users.findUserByEmail(email.canonical))
    // Asked for nobody as well: an unknown address takes as long as a known one.
    const [credential] = await users.listCredentials(user?.id ?? 'nobody', 'password')
    const hash = credential ? dataSchema.parse(credential.data).hash : await decoy
    const right = await hasher.verify(hash, password)
    if (!user || !credential || !right) return wrong(user?.id)

    if (hasher.isOutdated(hash))
      await users.updateCredential(credential.id, { hash: await hasher.hash(password) })
    return { ok: true, user, amr: ['pwd'] }
  }

  return {
    id: 'password',
    step: 'first',
    kind: 'knowledge',
    needsAddress: true,
    admit: hasher.admit,
    show: ({ action, hint }, errors) =>
      part(signInField, {
        action,
        focused: hint !== '' && errors.length === 0,
        errors,
        forgotUrl: '/forgot',
      }),
    allowances({ fields }, network) {
      const typed = fields('email')
      const account = parseEmail(typed)?.canonical ?? typed
      return [...accountAllowances(account), { limit: 'password_per_ip', key: network }]
    },
    verify,
    isEnrolled: ({ id }) => hasPassword(users, id),
    manage: createManage({ users, issuer }),
    lockLetter: (lock) =>
      lock === 'disabled'
        ? { kind: 'password_disabled', forgotUrl: `${issuer}/forgot` }
        : { kind: 'password_locked', waitMs: lockedFor, forgotUrl: `${issuer}/forgot` },
    enrol: {
      show: (errors) => part(enrolField, { errors, minLength: rules.minLength }),
      async prepare(fields, about) {
        const password = normalizePassword(fields('password', FIELD_MAX))
        const fault = judgePassword(password, rules, [...about, service])
        if (fault) return { ok: false, errors: [{ field: 'password', message: fault }] }
        return {
          ok: true,
          credential: { type: 'password', data: { hash: await hasher.hash(password) } },
          amr: ['pwd'],
        }
      },
    },
  }
}

/** One message for an unknown address and a wrong password. */
function wrong(userId?: string): Outcome {
  const message = 'E-mail address or password is not right. Check both and try again.'
  return { ok: false, reason: 'wrong', errors: [{ field: 'email', message }], userId }
}

function missingFields(email: string, password: string): FieldError[] {
  return [
    ...(email.trim() === '' ? [{ field: 'email', message: 'Enter your e-mail address.' }] : []),
    ...(password === '' ? [{ field: 'password', message: 'Enter your password.' }] : []),
  ]
}
