import type { SignInMethod } from '../methods/method.ts'
import type { Standing } from './admission.routes.ts'
import { type Journey, journeyPath } from './journey.ts'

/** By which methods a person who is asked for one more proof may bring it. */
export const offeredIn = ({ decision }: Standing): string[] =>
  decision.step === 'prove' ? decision.methods : []

/** As a page offers it beside others. */
export const wayTo = (methods: SignInMethod[], { uid }: Journey, id: string) => ({
  label: methods.find((method) => method.id === id)?.invitation ?? id,
  url: journeyPath(uid, `/second/${id}`),
})
