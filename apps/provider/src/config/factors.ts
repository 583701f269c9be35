// Who brings a second factor, and which (decision 016).
import { z } from 'zod'
import { DAY, HOUR } from '../lib/clock.ts'
import { statedDuration } from './parts.ts'

/** The second factors by method, strongest first. */
export const SECOND_FACTORS = ['passkey', 'totp', 'recovery-codes'] as const
export type SecondFactor = (typeof SECOND_FACTORS)[number]

/** No factor of its own: it stands in for another one that is lost. */
export const STAND_IN = 'recovery-codes' satisfies SecondFactor

/** Those among the credential types of a person, strongest first. */
export const secondFactorsAmong = (types: readonly string[]): SecondFactor[] =>
  SECOND_FACTORS.filter((factor) => types.includes(factor))

const AUDIENCES = ['nobody', 'administrators', 'everyone'] as const

export type Factors = {
  /** Who has to have a second factor. Whoever has one is asked for it whatever this says. */
  second_factor_for: (typeof AUDIENCES)[number]
  /** Which of them count, strongest first. */
  accepted: SecondFactor[]
  /** How long a browser may stand in for the second factor it has seen; 0: never. */
  trusted_device: number
  /** How long the owner can object before a mailbox alone opens an account that has a second factor; 0: it never does. */
  recovery_wait: number
}

/** @property password what `policy.password.min_length` is where the file does not say. */
type Preset = Factors & { password: number }

const all = [...SECOND_FACTORS]

export const PRESETS = {
  relaxed: {
    second_factor_for: 'nobody',
    accepted: all,
    trusted_device: 30 * DAY,
    recovery_wait: 72 * HOUR,
    password: 8,
  },
  balanced: {
    second_factor_for: 'administrators',
    accepted: all,
    trusted_device: 0,
    recovery_wait: 72 * HOUR,
    password: 10,
  },
  strict: {
    second_factor_for: 'everyone',
    accepted: all,
    trusted_device: 0,
    recovery_wait: 0,
    password: 12,
  },
  // SP 800-63B-4, section 4.2.2.2: a mailed code alone never recovers an account with two factors.
  nist: {
    second_factor_for: 'administrators',
    accepted: all,
    trusted_device: 0,
    recovery_wait: 0,
    password: 15,
  },
} satisfies Record<string, Preset>

export type PresetName = keyof typeof PRESETS
const NAMES = Object.keys(PRESETS) as [PresetName, ...PresetName[]]

/** SP 800-63B-4, section 3.1.1.2: "may" be eight where the password is only ever one of two factors. */
const NIST_BESIDE_SECOND_FACTOR = 8

const accepted = z
  .array(z.enum(SECOND_FACTORS))
  .refine((names) => new Set(names).size === names.length, 'names each one once')
  .refine(
    (names) => names.some((name) => name !== STAND_IN),
    'needs passkey or totp: recovery codes only stand in for one of them',
  )
  .transform((names) => SECOND_FACTORS.filter((name) => names.includes(name)))

/** What the preset says, but for what the file says. */
export const factors = z
  .strictObject({
    preset: z.enum(NAMES).default('balanced'),
    second_factor_for: z.enum(AUDIENCES).optional(),
    accepted: accepted.optional(),
    trusted_device: statedDuration.refine((ms) => ms <= 30 * DAY, 'may be 30d at most').optional(),
    recovery_wait: statedDuration.refine((ms) => ms <= 30 * DAY, 'may be 30d at most').optional(),
  })
  .transform(({ preset, ...said }) => {
    const { password: _, ...values } = PRESETS[preset]
    return {
      preset,
      second_factor_for: said.second_factor_for ?? values.second_factor_for,
      accepted: said.accepted ?? values.accepted,
      trusted_device: said.trusted_device ?? values.trusted_device,
      recovery_wait: said.recovery_wait ?? values.recovery_wait,
    } satisfies Factors & { preset: PresetName }
  })
  .prefault({})

export type FactorsConfig = z.output<typeof factors>

/** The shortest password, in code points, where the file says nothing about it. */
export function minLength({ preset, second_factor_for }: FactorsConfig): number {
  const isNeverAlone = preset === 'nist' && second_factor_for === 'everyone'
  return isNeverAlone ? NIST_BESIDE_SECOND_FACTOR : PRESETS[preset].password
}
