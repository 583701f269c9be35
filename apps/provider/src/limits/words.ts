// What a person is told when a limit turns them away; the same for everyone.
import { wait } from '../http/problem.ts'

/** @param seconds how long to wait, here and below */
export const tooManyTries = (seconds: number) =>
  `There were too many tries. Wait ${wait(seconds)}, then try again.`

export const letterOnItsWay = (seconds: number) =>
  `A letter was sent a moment ago. Look for it, or wait ${wait(seconds)} before you ask for another.`

/** No wait is short enough to be told. */
export const PASSWORD_CLOSED =
  'There were too many wrong passwords. Choose a new one by “Forgot password?”, or sign in with a code we send you.'
export const SECOND_FACTOR_CLOSED =
  'There were too many wrong tries. Bring another second factor, or a recovery code.'
