// Letters, as they arrived.
import { expect } from '@playwright/test'
import { type Letter, PORTS } from './post-office.ts'

/** Newest first. */
export async function lettersTo(address: string): Promise<Letter[]> {
  const answer = await fetch(`http://127.0.0.1:${PORTS.letters}/?to=${encodeURIComponent(address)}`)
  return (await answer.json()) as Letter[]
}

/** The newest letter, as soon as there are `count`. */
export async function waitForLetter(address: string, count = 1): Promise<Letter> {
  await expect.poll(async () => (await lettersTo(address)).length).toBeGreaterThanOrEqual(count)
  return (await lettersTo(address))[0]!
}

/** The newest letter whose subject says so. */
export async function waitForSubject(address: string, subject: RegExp): Promise<Letter> {
  const find = async () => (await lettersTo(address)).find((letter) => subject.test(letter.subject))
  await expect.poll(find).toBeTruthy()
  return (await find())!
}

/** The code that its subject begins with. */
export function codeIn({ subject }: Letter): string {
  const [, code] = /^(\d{6,8}) /.exec(subject) ?? []
  if (!code) throw new Error(`no code in front of: ${subject}`)
  return code
}

/** The first link: it stands alone on a line of the text. */
export function linkIn({ text }: Letter): string {
  const [link] = /^https?:\/\/\S+$/m.exec(text) ?? []
  if (!link) throw new Error(`no link on a line of its own in:\n${text}`)
  return link
}
