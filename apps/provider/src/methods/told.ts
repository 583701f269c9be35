import type { Visit } from '../audit/event.ts'
import type { Occasion } from '../mail/letter.ts'

/** What the log and the letters tell of the request that caused them. */
export type Told = { visit: Visit; occasion: Occasion }
