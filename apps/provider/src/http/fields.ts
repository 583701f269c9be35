import type { Context } from 'koa'
import { badRequest, Problem } from './problem.ts'

const BODY_LIMIT_BYTES = 56 * 1024
const FIELD_LIMIT = 1024

/** Reads one field the browser sent; '' when absent. @throws Problem when it was sent twice or is longer than `max` */
export type Fields = (name: string, max?: number) => string

/** The urlencoded body of a form post: read once, capped, every field a single string. */
export async function readFields(ctx: Context): Promise<Fields> {
  if (!ctx.is('application/x-www-form-urlencoded')) {
    throw new Problem(415, 'This address accepts forms only.', 'Send application/x-www-form-urlencoded.')
  }
  return reader(new URLSearchParams(await readBody(ctx)))
}

async function readBody(ctx: Context): Promise<string> {
  try {
    return await collect(ctx)
  } catch (error) {
    // Whoever hung up half-way through is no fault of ours.
    throw ctx.req.destroyed && !(error instanceof Problem)
      ? badRequest('The form did not arrive whole.')
      : error
  }
}

async function collect(ctx: Context): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of ctx.req) {
    size += chunk.length
    if (size > BODY_LIMIT_BYTES) {
      ctx.set('Connection', 'close')
      throw new Problem(413, 'What was sent is too large.', 'Shorten it and try again.')
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function reader(form: URLSearchParams): Fields {
  return (name, max = FIELD_LIMIT) => {
    const [value = '', ...rest] = form.getAll(name)
    if (rest.length) throw badRequest(`The form sent “${name}” more than once.`)
    if (value.length > max)
      throw new Problem(422, `What was entered as ${name} is too long.`, 'Go back and shorten it.')
    if (value.includes('\0'))
      throw new Problem(
        422,
        `What was entered as ${name} holds a character that cannot be stored.`,
        'Go back and retype it.',
      )
    return value
  }
}
