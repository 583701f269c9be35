import type { Context } from 'koa'
import { secondFactorsAmong } from '../config/factors.ts'
import { seeOther } from '../http/reply.ts'
import type { Outcome, Person, SignInMethod } from '../methods/method.ts'
import { AddressTaken } from '../users/store.ts'
import type { User } from '../users/user.ts'
import type { Gate, InteractionDependencies } from './gate.routes.ts'
import { type Journey, journeyPath, type Proved } from './journey.ts'
import { type Decision, decideSignIn, isStepUp, type Login } from './sign-in.ts'

type Proof = Extract<Outcome, { ok: true }>
type Refused = Extract<Outcome, { ok: false }>

export type Admission = ReturnType<typeof createAdmission>

/** Somebody who has proved something in this journey, and what comes next for them. */
export type Standing = { user: User; proved: Proved; decision: Decision }

/** How a person who proved who they are goes in, by whichever door, or is asked for more. */
export function createAdmission(gate: Gate, deps: InteractionDependencies) {
  const { browsers, devices, deviceCookie, offers, methods, outbox, scope, config, users, now } = deps
  const offered = methods.find(({ offer }) => offer)
  return { claimAndSettle, settle, findStanding }

  /** Refused when the proof was good, but somebody else brought it first. */
  async function claimAndSettle(
    ctx: Context,
    journey: Journey,
    { proof, method, trustsDevice }: { proof: Proof; method: SignInMethod; trustsDevice: boolean },
  ): Promise<{ ok: true } | Refused> {
    const { amr } = proof
    const act = async (person: Person) => {
      const { id, kind } = method
      const added = addProof(journey, person, { method: id, kind, amr, at: now().getTime() })
      await settle(ctx, journey, { user: person.user, proved: { ...added, trustsDevice }, method: id })
      return { ok: true as const }
    }
    if (!('claim' in proof)) return act({ user: proof.user, isNew: false })
    try {
      return await scope.transaction(async () => {
        const person = await proof.claim()
        if (person?.notice) await tell(ctx, journey, person.user, person.notice)
        return person ? act(person) : TOO_LATE
      })
    } catch (error) {
      if (error instanceof AddressTaken) return TOO_LATE
      throw error
    }
  }

  /** In, or to the next step; what was proved until then is kept with the journey and good for nothing else. */
  async function settle(
    ctx: Context,
    journey: Journey,
    { user, proved, method }: { user: User; proved: Proved; method: string },
  ): Promise<void> {
    const decision = await decide(ctx, journey, { user, proved })
    if (hasJustSignedUp(proved))
      await gate.record(ctx, { type: 'user.registered', userId: user.id, method }, journey)
    if (decision.step === 'refuse') return gate.finish(ctx, journey, UNMET)
    if (decision.step === 'admit') {
      const isOfferDue = await mayOffer(ctx, journey, { user, proved })
      if (isOfferDue) return hold(ctx, journey, { ...proved, isOffered: true })
      return admit(ctx, journey, { user, proved, login: decision.login })
    }
    await gate.record(ctx, { type: 'sign_in.more_asked', userId: user.id, step: decision.step }, journey)
    await hold(ctx, journey, proved)
  }

  async function hold(ctx: Context, { uid }: Journey, proved: Proved): Promise<void> {
    await gate.keep(ctx, { proved })
    seeOther(ctx, journeyPath(uid))
  }

  /**
   * Once, to whoever is new and was not asked to set anything up, where their device is up to it. Not on the way to our own
   * pages, which have room for it.
   */
  async function mayOffer(
    ctx: Context,
    { client }: Journey,
    { user, proved }: { user: User; proved: Proved },
  ): Promise<boolean> {
    const isMoment = hasJustSignedUp(proved) && !client.own && offers.isWelcome(ctx)
    return isMoment && !(await offered?.isEnrolled?.(user))
  }

  /** Null where nothing was proved, or it has become worthless since. */
  async function findStanding(ctx: Context, journey: Journey): Promise<Standing | null> {
    const proved = journey.progress.proved ?? (await standingSession(journey))
    const user = proved ? await users.findUser(proved.userId) : null
    if (!proved || !user || user.generation !== proved.generation) return null
    const decision = await decide(ctx, journey, { user, proved })
    // A session may be days old, or stolen: it sets nothing up before the person has proved anew who they are.
    if (proved.proofs.length === 0 && decision.step === 'enrol') return null
    return { user, proved, decision }
  }

  /** Of somebody who is signed in and is asked for more. */
  async function standingSession(journey: Journey): Promise<Proved | undefined> {
    const user = isStepUp(journey) ? await users.findUser(journey.session!.accountId) : null
    return user ? { userId: user.id, generation: user.generation, isNew: false, proofs: [] } : undefined
  }

  async function decide(
    ctx: Context,
    journey: Journey,
    { user, proved: { proofs } }: { user: User; proved: Proved },
  ): Promise<Decision> {
    const enrolled = secondFactorsAmong(await users.listCredentialTypes(user.id))
    // Whoever has proved nothing in this journey is not let in, and made younger, by a device.
    const isOfUse = proofs.length > 0 && enrolled.length > 0
    const isTrustedDevice = isOfUse && (await devices.isTrusted(user, deviceCookie.read(ctx)))
    return decideSignIn({ journey, user, proofs, enrolled, isTrustedDevice, policy: config.policy.factors })
  }

  /** The trace, a word to the owner about a browser never seen before, and on to the app. */
  async function admit(
    ctx: Context,
    journey: Journey,
    { user, proved, login }: { user: User; proved: Proved; login: Login },
  ) {
    if (!proved.isNew && !browsers.isKnown(ctx, user)) await tellOwner(ctx, user)
    browsers.remember(ctx, user)
    if (proved.trustsDevice) await trustDevice(ctx, journey, user)
    await gate.record(ctx, { type: 'sign_in.succeeded', userId: user.id, amr: login.amr }, journey)
    await gate.finish(ctx, journey, { [journey.prompt]: {}, login })
  }

  async function trustDevice(ctx: Context, journey: Journey, user: User) {
    const held = deviceCookie.read(ctx)
    const secret = deviceCookie.add(ctx)
    const deviceId = await devices.trust(user, { secret, held, userAgent: ctx.get('User-Agent') })
    await gate.record(ctx, { type: 'device.trusted', userId: user.id, deviceId }, journey)
  }

  /** What a proof has used up, to the log and to its owner. */
  async function tell(
    ctx: Context,
    journey: Journey,
    user: User,
    { event, letter }: NonNullable<Person['notice']>,
  ) {
    await gate.record(ctx, event, journey)
    const occasion = gate.occasionOf(ctx)
    if (user.emailVerified) await outbox.post({ to: user.email, userId: user.id, content: letter, occasion })
  }

  /** A mailbox that nobody proved may be that of a stranger, and hears nothing (decision 018). */
  async function tellOwner(ctx: Context, user: User) {
    if (!user.emailVerified) return
    await outbox.post({
      to: user.email,
      userId: user.id,
      content: { kind: 'new_browser', forgotUrl: `${config.ISSUER}/forgot` },
      occasion: gate.occasionOf(ctx),
    })
  }
}

/** With the proof at hand: nothing was asked of them or offered to them since. */
const hasJustSignedUp = ({ isNew, proofs, isOffered }: Proved): boolean =>
  isNew && proofs.length === 1 && !isOffered

/** To what the same person proved before in this journey; anybody else begins anew. */
function addProof({ progress }: Journey, { user, isNew }: Person, proof: Proved['proofs'][number]): Proved {
  const { proved } = progress
  const isSame = proved?.userId === user.id && proved.generation === user.generation
  return {
    userId: user.id,
    generation: user.generation,
    isNew: isSame ? proved.isNew : isNew,
    proofs: [...(isSame ? proved.proofs : []), proof],
  }
}

export const UNMET = {
  error: 'unmet_authentication_requirements',
  error_description: 'this person cannot sign in the way that is asked for',
}

const TOO_LATE = {
  ok: false as const,
  reason: 'expired' as const,
  errors: [{ field: 'code', message: 'This code was used already. Send a new code.' }],
}
