import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { networkOf, parseNetworks, wideNetworkOf } from './networks.ts'

const ipv4 = fc.ipV4()
const ipv6 = fc.ipV6()

describe('a list of networks', () => {
  test('holds every address it names', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(ipv4, ipv6), { minLength: 1, maxLength: 5 }), (addresses) => {
        const networks = parseNetworks(addresses.join(', '))!
        for (const address of addresses) expect(networks.has(address)).toBe(true)
      }),
    )
  })

  test('holds what its ranges hold and nothing beside them', () => {
    const networks = parseNetworks('10.0.0.0/8, 192.168.1.0/24,fd00::/8,::1')!
    for (const address of ['10.0.0.0', '10.255.255.255', '192.168.1.77', 'fd12::1', '::1'])
      expect(networks.has(address)).toBe(true)
    for (const address of ['11.0.0.0', '192.168.2.1', 'fe80::1', '::2', '127.0.0.1'])
      expect(networks.has(address)).toBe(false)
  })

  test('knows an IPv4 address that is written as IPv6', () => {
    expect(parseNetworks('10.0.0.0/8')!.has('::ffff:10.1.2.3')).toBe(true)
    expect(parseNetworks('10.0.0.0/8')!.has('::FFFF:11.1.2.3')).toBe(false)
  })

  test('does not hold what is no address', () => {
    const networks = parseNetworks('0.0.0.0/0, ::/0')!
    for (const text of ['', 'localhost', '10.0.0', '10.0.0.1.evil.example', 'unknown'])
      expect(networks.has(text)).toBe(false)
  })

  test('may be empty', () => expect(parseNetworks(' , ')!.has('127.0.0.1')).toBe(false))

  test.each([
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/8/9',
    '10.0.0.0/-1',
    '10.0.0.0/+8',
    '10.0.0/8',
    'localhost',
    '10.0.0.1 10.0.0.2',
    '0x7f.1',
  ])('%j is refused', (text) => expect(parseNetworks(text)).toBeNull())
})

describe('what one household owns', () => {
  test('is one IPv4 address, however it is written', () => {
    fc.assert(
      fc.property(ipv4, (address) => {
        expect(networkOf(address)).toBe(address)
      }),
    )
    expect(networkOf('::ffff:192.0.2.1')).toBe('192.0.2.1')
  })

  test('is a /64 of IPv6: whatever the last 64 bits, the network is the same', () => {
    const group = fc.nat(0xffff).map((number) => number.toString(16))
    const groups = fc.array(group, { minLength: 4, maxLength: 4 })
    fc.assert(
      fc.property(groups, groups, groups, (prefix, one, other) => {
        fc.pre(prefix.some((part) => part !== '0'))
        const network = networkOf([...prefix, ...one].join(':'))
        expect(networkOf([...prefix, ...other].join(':').toUpperCase())).toBe(network)
        expect(network).toBe(`${prefix.join(':')}::/64`)
      }),
    )
  })

  test('is the same for every way to write an address', () => {
    const ways = [
      '2001:db8::1',
      '2001:0db8:0:0::1',
      '2001:DB8:0000:0000:0:0:0:2',
      '2001:db8::ffff:1.2.3.4',
      '2001:db8::1%eth0',
    ]
    expect(new Set(ways.map(networkOf))).toEqual(new Set(['2001:db8:0:0::/64']))
    expect(networkOf('::1')).toBe('0:0:0:0::/64')
  })
})

describe('what is left of an address that may not tell whose it was', () => {
  test.each([
    ['192.0.2.77', '192.0.2.0/24'],
    ['::ffff:192.0.2.77', '192.0.2.0/24'],
    ['2001:db8:7:8::9', '2001:db8:7::/48'],
    ['2001:DB8:0007::', '2001:db8:7::/48'],
    ['2001:db8::1%eth0', '2001:db8:0::/48'],
    ['::1', '0:0:0::/48'],
    ['unknown', null],
    ['', null],
    ['192.0.2.77:4000', null],
  ])('of %j is %j', (address, network) => expect(wideNetworkOf(address)).toBe(network))

  test('does not become less the second time', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), (address) => {
        const network = wideNetworkOf(address)!
        expect(wideNetworkOf(network)).toBe(network)
      }),
    )
  })
})
