// Where in the world an address is, as far as a letter says it: the country, from a file that came with the software.
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { Reader } from 'mmdb-lib'
import { type Networks, parseNetworks } from '../lib/networks.ts'

/** Made from the registries' public data, in the public domain (CC0). */
const DATA = import.meta.resolve('@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb')

/** Loopback, private (RFC 1918, RFC 4193), link-local and shared (RFC 6598) addresses. */
const OWN = parseNetworks(
  '127.0.0.0/8, ::1, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, 100.64.0.0/10, fc00::/7, fe80::/10',
) as Networks

const COUNTRIES = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' })

/** `Germany (network address 203.0.113.7)`; without the country where that is not known. */
export function createPlaces(): (ip: string) => string {
  const reader = new Reader(readFileSync(new URL(DATA)))
  return (address) => {
    const ip = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
    if (!isIP(ip)) return 'an unknown place'
    if (OWN.has(ip)) return 'this machine or its own network'
    const country = nameOf((reader.get(ip) as Entry | null)?.country_code)
    return country ? `${country} (network address ${ip})` : `the network address ${ip}`
  }
}

/** Not the shape that the reader's types know. */
type Entry = { country_code?: unknown }

function nameOf(code: unknown): string | undefined {
  return typeof code === 'string' && /^[A-Z]{2}$/.test(code) ? COUNTRIES.of(code) : undefined
}
