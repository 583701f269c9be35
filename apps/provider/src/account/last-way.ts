// A person can take away whatever lets them in, but not all of it.
import { secondFactorsAmong } from '../config/factors.ts'
import type { Config } from '../config.ts'
import { Problem } from '../http/problem.ts'
import type { SignInMethod } from '../methods/method.ts'
import { type Loss, lossOf } from '../policy/loss.ts'
import type { User } from '../users/user.ts'

type Dependencies = { methods: SignInMethod[]; config: Config }

/**
 * To be asked at the end of the change, in its transaction. `types`: the credential types that are left.
 * @throws Problem 409, which takes the change back
 */
export async function assertWayLeft(
  { methods, config }: Dependencies,
  user: User,
  types: readonly string[],
): Promise<void> {
  const ways: string[] = []
  for (const { id, step, isEnrolled } of methods)
    if (step !== 'second' && (await isEnrolled?.(user))) ways.push(id)
  const person = { isAdministrator: false, enrolled: secondFactorsAmong(types) }
  const loss = lossOf({ ways, person, policy: config.policy.factors })
  if (loss) throw new Problem(409, ...REASONS[loss], { back: BACK })
}

const REASONS: Record<Loss, [what: string, todo: string]> = {
  last_way_in: [
    'This is your only way in, so it stays.',
    'Confirm your e-mail address, set a password or add a passkey first. Then you can remove this one.',
  ],
  required_factor: [
    'A second step is required here, and this is the only one you have.',
    'Set up another one first. Then you can remove this one.',
  ],
}

const BACK = { label: 'Back to Security', url: '/account/security' }
