import { startStack } from './stack.ts'

/** Playwright calls what is returned when everything is over. */
export default () => startStack()
