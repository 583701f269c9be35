/** A person, as the rooms above see one. `id` is the subject (`sub`) of every token. */
export type User = {
  id: string
  email: string
  emailVerified: boolean
  name: string | null
  /** Grows with every change of a credential. What was proved in an earlier one proves nothing any more. */
  generation: number
  /** Whether a recovery was asked for and is perhaps still running (decision 019): false says for certain that none is. */
  isRecovering: boolean
}

/** One way a person can prove who they are. `data` belongs to the method named by `type`. */
export type Credential = {
  id: string
  userId: string
  type: string
  data: unknown
}

/** A credential not yet anybody's: what a method hands over at sign-up. */
export type NewCredential = {
  type: string
  identifier?: string
  data: Record<string, string | number | boolean>
}
