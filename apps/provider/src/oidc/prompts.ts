import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import type { Config } from '../config.ts'
import { cookieNames } from '../http/cookies.ts'
import { CONFIRM_PROMPT, RECOVERY_PROMPT } from '../lib/prompts.ts'
import type { Recovery } from '../methods/lost-factors/recoveries.ts'
import { isStrongEnough, tellStrength } from './acr.ts'

const { base, Check, Prompt } = interactionPolicy

/** The engine's own prompts (OpenID Connect Core, section 3.1.2.1), and ours. */
export function createPrompts({ ISSUER, policy }: Pick<Config, 'ISSUER' | 'policy'>) {
  const { factors, registration } = policy
  /** Whether nobody goes on with an address they have not confirmed; else only where the client asks for it. */
  const confirmsFirst = registration.confirmation === 'first'
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
  prompts.add(new Prompt({ name: CONFIRM_PROMPT, requestable: false }, unconfirmed), 2)
  const asked = new Check('recovery_running', 'a recovery of this account was asked for', async (ctx) =>
    (await isToldOfRecovery(ctx, ISSUER)) ? Check.NO_NEED_TO_PROMPT : Check.REQUEST_PROMPT,
  )
  prompts.add(new Prompt({ name: RECOVERY_PROMPT, requestable: false }, asked), 2)
  return prompts
}

/** Once a day in each browser, by the cookie that `interaction/` sets; an app that asks without a page gets its answer. */
async function isToldOfRecovery(ctx: KoaContextWithOIDC, issuer: string): Promise<boolean> {
  const { account, prompts, result } = ctx.oidc
  if (!account || prompts.has('none') || result?.[RECOVERY_PROMPT]) return true
  const recovery = await (account['recovery'] as () => Promise<Recovery | null>)()
  return !recovery || ctx.cookies.get(cookieNames(issuer).recovery, { signed: true }) === recovery.id
}
