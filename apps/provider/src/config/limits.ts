// How often anyone may try anything, by name (decision 015).
import { z } from 'zod'
import { DAY, HOUR, MINUTE, SECOND } from '../lib/clock.ts'
import { limit, limitWindow, pace } from './parts.ts'

/**
 * `_per_account` and `_per_address` count by a person's canonical address (of a second factor: by the person, who is known
 * by then), `_per_ip` by network: an IPv4 address or the /64 of an IPv6 one. In development everybody shares one address, so what honest use costs is not held to its allowance.
 */
export function limits(production: boolean) {
  const perNetwork = (points: number, per: number, inDevelopment: number) =>
    limitWindow(production ? points : inDevelopment, per)
  return z
    .strictObject({
      password_per_account: limit(limitWindow(10, 15 * MINUTE, 15 * MINUTE)),
      password_per_ip: limit(limitWindow(30, 5 * MINUTE), limitWindow(200, DAY)),
      /** Failures without a success in between; then no password is accepted until it is reset (NIST SP 800-63B-4, 3.2.2). */
      password_in_a_row: limit(limitWindow(100, 365 * DAY)),
      password_pace: pace({ from: 3, first: SECOND, most: MINUTE }),
      /** Of everybody: more is an anomaly for the audit log, and stops nobody. */
      password_failures: limit(limitWindow(300, 5 * MINUTE)),
      email_code_per_account: limit(limitWindow(15, HOUR)),
      email_code_per_ip: limit(limitWindow(60, HOUR)),
      totp_per_account: limit(limitWindow(5, 5 * MINUTE), limitWindow(10, 15 * MINUTE, 15 * MINUTE)),
      totp_per_ip: limit(limitWindow(30, 5 * MINUTE)),
      /** As `password_in_a_row`: then no code is accepted until another authenticator is set up. */
      totp_in_a_row: limit(limitWindow(100, 365 * DAY)),
      recovery_code_per_account: limit(limitWindow(5, HOUR), limitWindow(20, DAY)),
      recovery_code_per_ip: limit(limitWindow(20, HOUR)),
      recovery_per_account: limit(limitWindow(3, 30 * DAY)),
      passkey_per_ip: limit(limitWindow(60, MINUTE)),
      letters_per_address: limit(limitWindow(1, MINUTE), limitWindow(5, HOUR), limitWindow(10, DAY)),
      letters_per_ip: limit(perNetwork(20, HOUR, 300)),
      link_per_ip: limit(limitWindow(30, 5 * MINUTE)),
      registration_per_ip: production
        ? limit(limitWindow(5, HOUR), limitWindow(20, DAY))
        : limit(limitWindow(1000, HOUR)),
      authorize_per_ip: limit(perNetwork(120, MINUTE, 1200)),
      /** Counted by app and network together: nobody shuts an app out by its id alone. */
      client_failures: limit(limitWindow(20, 5 * MINUTE)),
      client_failures_per_ip: limit(limitWindow(60, 5 * MINUTE)),
      grant_failures_per_ip: limit(perNetwork(60, MINUTE, 1200)),
      /** Counted in each process by itself. */
      tokens_per_client: limit(limitWindow(100, SECOND)),
    })
    .prefault({})
}

export type LimitsConfig = z.output<ReturnType<typeof limits>>
export type PaceName = Extract<keyof LimitsConfig, `${string}_pace`>
export type LimitName = Exclude<keyof LimitsConfig, PaceName>
