import { BlockList, isIP, isIPv6 } from 'node:net'

/** A set of addresses; `has` understands IPv4, IPv6 and IPv4 written as IPv6. */
export type Networks = { has(address: string): boolean }

/** `10.0.0.0/8, ::1` → a set, or null when an entry is neither an address nor a CIDR range. */
export function parseNetworks(text: string): Networks | null {
  const list = new BlockList()
  for (const entry of text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)) {
    const [address = '', bits, ...rest] = entry.split('/')
    const family = isIP(address)
    if (!family || rest.length) return null
    const width = family === 6 ? 128 : 32
    const prefix = bits === undefined ? width : Number(bits)
    if (!/^\d{1,3}$/.test(bits ?? '0') || prefix > width) return null
    list.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4')
  }
  return { has: (address) => list.check(plain(address), isIPv6(plain(address)) ? 'ipv6' : 'ipv4') }
}

/** IPv4 written as IPv6 (RFC 4291, section 2.5.5.2) is IPv4. */
const plain = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, '')

/** What one household or one machine owns: an IPv4 address, or the /64 of an IPv6 address. */
export function networkOf(address: string): string {
  const ip = plain(address)
  return isIPv6(ip) ? `${expand(ip).slice(0, 4).join(':')}::/64` : ip
}

/**
 * What is left of an address when it may no longer tell whose it was: the /24 of IPv4, the /48 of IPv6, nothing of what
 * is neither. A network made here stays as it is.
 */
export function wideNetworkOf(address: string): string | null {
  const ip = plain(address.replace(/\/(24|48)$/, ''))
  if (isIPv6(ip)) return `${expand(ip).slice(0, 3).join(':')}::/48`
  return isIP(ip) ? `${ip.slice(0, ip.lastIndexOf('.'))}.0/24` : null
}

function expand(ip: string): string[] {
  const [head = '', tail] = ip.split('%')[0]!.split('::')
  const left = head ? head.split(':') : []
  const right = tail ? tail.split(':') : []
  const gap = tail === undefined ? 0 : 8 - left.length - right.length
  return [...left, ...Array<string>(Math.max(0, gap)).fill('0'), ...right].map((group) =>
    group.toLowerCase().replace(/^0+(?=.)/, ''),
  )
}
