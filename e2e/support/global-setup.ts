import { openPostOffice } from './post-office.ts'
import { startStack } from './stack.ts'

/** Playwright calls what is returned when everything is over. */
export default async () => {
  const closePostOffice = await openPostOffice()
  const stopStack = await startStack()
  return async () => {
    await stopStack()
    await closePostOffice()
  }
}
