import { interactionPolicy } from 'oidc-provider'
import type { Factors } from '../config/factors.ts'
import { isStrongEnough, tellStrength } from './acr.ts'

const { base, Check, Prompt } = interactionPolicy

/**
 * The engine's own prompts (OpenID Connect Core, section 3.1.2.1), and ours.
 * @param confirmsFirst whether nobody goes on with an address they have not confirmed; else only where the client asks for it
 */
export function createPrompts(confirmsFirst: boolean, factors: Factors) {
  const prompts = base()
  // Initiating User Registration via OpenID Connect 1.0: `prompt=create`.
  prompts.add(new Prompt({ name: 'create', requestable: true }), 0)
  // A session outlives an account that was disabled or erased; nobody is signed in with it.
  prompts
    .get('login')
    ?.checks.add(
      new Check('account_gone', 'the account of this session is gone', ({ oidc }) =>
        oidc.session?.accountId && !oidc.account ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT,
      ),
    )
  // Ours knows which class is as good as another; the engine's compare words.
  for (const reason of ['essential_acr', 'essential_acrs']) prompts.get('login')?.checks.remove(reason)
  prompts.get('login')?.checks.add(
    new Check('acr_unmet', 'a stronger sign-in is asked for', async (ctx) => {
      const { session, account } = ctx.oidc
      if (!session?.accountId || !account) return Check.NO_NEED_TO_PROMPT
      if (!(await isStrongEnough(ctx, factors))) return Check.REQUEST_PROMPT
      tellStrength(ctx)
      return Check.NO_NEED_TO_PROMPT
    }),
  )
  const unconfirmed = new Check(
    'address_unconfirmed',
    'the address of this account was never confirmed',
    ({ oidc }) => {
      const demanded = confirmsFirst || oidc.client?.['require_confirmed_email'] === true
      const isConfirmed = oidc.account?.['emailVerified'] !== false
      return demanded && !isConfirmed ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT
    },
  )
  prompts.add(new Prompt({ name: 'confirm_address', requestable: false }, unconfirmed), 2)
  return prompts
}
