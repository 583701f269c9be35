import { wait } from '../http/problem.ts'

export const tooManyTries = (seconds: number) =>
  `There were too many tries. Wait ${wait(seconds)}, then try again.`
export const letterOnItsWay = (seconds: number) =>
  `A letter was sent a moment ago. Look for it, or wait ${wait(seconds)} before you ask for another.`
export const UNTIL_RESET = 'There were too many wrong passwords. Choose a new one by “Forgot password?”.'
