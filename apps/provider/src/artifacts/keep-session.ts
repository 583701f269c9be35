import { randomBytes } from 'node:crypto'

/** The engine's session, as far as keeping it needs to know. */
type Session = {
  uid: string
  authorizations?: object | undefined
  resetIdentifier(): void
  persist(): Promise<unknown>
}

/**
 * Keeps the browser signed in that changed a credential, while everything else of the person ends. To be called after
 * `advanceGeneration`, in the same transaction: elsewhere the session is saved as what it was, and is over.
 *
 * The session gets a new id (ASVS 5.0, 7.2.4), and a new uid, so that no journey begun with the old one goes on. Its
 * grants are dead; the apps get new ones when they ask.
 */
export async function keepSession(session: Session): Promise<void> {
  session.resetIdentifier()
  session.uid = randomBytes(16).toString('base64url')
  session.authorizations = undefined
  await session.persist()
}
