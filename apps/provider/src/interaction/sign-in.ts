import type { Amr } from '../methods/method.ts'
import type { User } from '../users/user.ts'

/** What the engine is told about a person who is signed in. */
export type Login = {
  accountId: string
  /** The person's at the moment of the proof: a change of their credentials since then makes it worthless. */
  generation: number
  amr: string[]
  acr: string
  /** False: the cookie goes when the browser is closed. */
  remember: boolean
}

const ONE_FACTOR = 'urn:anteroom:acr:1'

/** The single place that decides whether a person is signed in. */
export function decideSignIn({ user, amr }: { user: User; amr: Amr[] }): Login {
  return { accountId: user.id, generation: user.generation, amr, acr: ONE_FACTOR, remember: false }
}
