// What nobody may take from themselves: the last way in, and the second factor they have to have.
import type { Factors, SecondFactor } from '../config/factors.ts'
import { hasToHaveOne, missing } from './next-step.ts'

/** What a person has left after a change. `ways`: the methods that let them in by themselves. */
export type Left = {
  ways: readonly string[]
  person: { isAdministrator: boolean; enrolled: readonly SecondFactor[] }
  policy: Factors
}

export type Loss = 'last_way_in' | 'required_factor'

/** Null where enough is left. */
export function lossOf({ ways, person, policy }: Left): Loss | null {
  if (ways.length === 0) return 'last_way_in'
  const lacksFactor = missing(person.enrolled, policy.accepted).length > 0
  return hasToHaveOne(person, policy) && lacksFactor ? 'required_factor' : null
}
