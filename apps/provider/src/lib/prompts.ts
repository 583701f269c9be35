// The prompts of our own beside those of OpenID Connect: one entrance raises them, another one answers.

/** A person who is signed in has to confirm their address before they go on. */
export const CONFIRM_PROMPT = 'confirm_address'

/** A person who is signed in learns that a recovery of their account runs. */
export const RECOVERY_PROMPT = 'recovery_asked'
