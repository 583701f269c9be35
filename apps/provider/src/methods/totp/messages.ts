const WRONG = 'This code is not right. Wait for the next one in your app, then enter that.'

export const MESSAGES = {
  incomplete: 'Enter the six digits your app shows.',
  wrong: WRONG,
  /** Who sees a used code again need not be told that it was right once. */
  replayed: WRONG,
  over: 'This cannot be finished any more. Begin again, please.',
}
