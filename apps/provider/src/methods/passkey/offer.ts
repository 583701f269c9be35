// An offer at a good moment: after signing up, after a new password.
import { view } from '../../http/view.ts'
import { type Offer, part } from '../method.ts'

const offerPart = view<Parameters<Offer>[0]>('methods/passkey/offer')

export const offerPasskey: Offer = (forms) => ({
  part: part(offerPart, forms),
  title: 'Sign in without a password next time?',
})
