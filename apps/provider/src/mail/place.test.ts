import { expect, test } from 'vitest'
import { createPlaces } from './place.ts'

const placeOf = createPlaces()

test.each([
  ['8.8.8.8', 'United States (network address 8.8.8.8)'],
  ['::ffff:8.8.8.8', 'United States (network address 8.8.8.8)'],
  ['2a00:1450::1', 'Ireland (network address 2a00:1450::1)'],
  ['127.0.0.1', 'this machine or its own network'],
  ['::1', 'this machine or its own network'],
  ['::ffff:192.168.1.2', 'this machine or its own network'],
  ['fe80::1%eth0', 'this machine or its own network'],
  ['10.1.2.3', 'this machine or its own network'],
  ['240.0.0.1', 'the network address 240.0.0.1'],
  ['', 'an unknown place'],
  ['<b>', 'an unknown place'],
])('%s is in %s', (ip, place) => expect(placeOf(ip)).toBe(place))
