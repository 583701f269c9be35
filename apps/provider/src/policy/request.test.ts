import fc from 'fast-check'
import { expect, test } from 'vitest'
import { acrToTell, leastAnswer, readAcrRequest, sinceOf } from './request.ts'
import { ACRS } from './strength.ts'

const [ONE, TWO, PHR] = ACRS
const essential = (...values: string[]) => ({ voluntary: [], essential: values })
const voluntary = (...values: string[]) => ({ voluntary: values, essential: null })

test.each([
  [undefined, undefined, voluntary()],
  [`${PHR}  ${TWO}`, undefined, voluntary(PHR, TWO)],
  [undefined, { id_token: { acr: { essential: true, values: [TWO, PHR] } } }, essential(TWO, PHR)],
  [undefined, { id_token: { acr: { essential: true, value: TWO } } }, essential(TWO)],
  [undefined, { id_token: { acr: { values: [TWO] } } }, voluntary(TWO)],
  [undefined, { id_token: { acr: { essential: true } } }, voluntary()],
  [undefined, { id_token: { acr: null } }, voluntary()],
  [undefined, { userinfo: { acr: { essential: true, value: TWO } } }, voluntary()],
  // Asked for in a way that nothing can match: still a demand.
  [undefined, { id_token: { acr: { essential: true, values: [] } } }, essential()],
  [undefined, { id_token: { acr: { essential: true, values: { 0: TWO } } } }, essential()],
])('acr_values %j with the claims %j ask for %j', (acrValues, claims, asked) =>
  expect(readAcrRequest(acrValues, claims)).toEqual(asked),
)

test('claims of any shape are read without an exception', () =>
  fc.assert(fc.property(fc.anything(), (claims) => void readAcrRequest('', claims))))

test('one of several values is enough, the least of them', () => {
  expect(leastAnswer(essential(PHR, TWO), PHR)).toBe(TWO)
  expect(leastAnswer(voluntary(PHR, TWO), PHR)).toBe(TWO)
  expect(leastAnswer(essential('urn:example:gold', TWO), TWO)).toBe(TWO)
})

test('what cannot be reached is refused where it is essential, else left', () => {
  expect(leastAnswer(essential(PHR), TWO)).toBeNull()
  expect(leastAnswer(essential('urn:example:gold'), PHR)).toBeNull()
  expect(leastAnswer(voluntary(PHR), TWO)).toBe(ONE)
})

test('a client is told the value it asked for when the sign-in is as good, else the truth', () => {
  expect(acrToTell(PHR, essential(TWO))).toBe(TWO)
  expect(acrToTell(TWO, voluntary(PHR, TWO))).toBe(TWO)
  expect(acrToTell(ONE, voluntary(TWO))).toBe(ONE)
  expect(acrToTell(PHR, voluntary())).toBe(PHR)
})

test.each([
  [{ prompt: 'login' }, 0],
  [{ prompt: 'consent login' }, 0],
  [{ max_age: 0 }, 0],
  [{ max_age: 86_400 }, 0],
  [{ prompt: 'consent' }, null],
  [{ prompt: 'create' }, null],
  [{}, null],
])('whether %j asks for a fresh proof', (params, since) => expect(sinceOf(params)).toBe(since))
