/**
 * Our own pages that nobody sees who is not signed in: the redirect addresses of the built-in client, so that a person
 * comes back to the one they wanted. Nothing else in a request says where to go on.
 */
export const OWN_PAGES = [
  '/account',
  '/account/address',
  '/account/address/confirm',
  '/account/security',
  '/account/security/password',
  '/verify',
] as const

export type OwnPage = (typeof OWN_PAGES)[number]
