import type { ErrorOut, errors, KoaContextWithOIDC } from 'oidc-provider'
import { wayBack } from '../clients/way-back.ts'
import { cookieNames } from '../http/cookies.ts'
import { asProblem, errorPage, requestId } from '../http/error-pages.ts'
import { sendPage } from '../http/reply.ts'
import type { Views } from '../http/view.ts'
import { ACCOUNT_CLIENT_ID } from './clients.ts'

type EngineError = errors.OIDCProviderError | Error

/** What to change in the app, by the error's code or, where one code has many causes, by words of its description. */
const FIXES: [RegExp, string][] = [
  [
    /^invalid_client/,
    'Check client_id: no client with this id is registered here. Clients stand in the configuration file under "clients".',
  ],
  [
    /^invalid_redirect_uri/,
    'Add exactly this redirect_uri to the client’s redirect_uris, letter for letter: scheme, host, port, path and trailing slash count.',
  ],
  [/redirect_uri/, 'Send redirect_uri, equal letter for letter to one the client is registered with.'],
  [
    /code_challenge|PKCE/i,
    'Send code_challenge and code_challenge_method=S256 (PKCE, RFC 7636). In next-auth: checks: ["pkce", "state", "nonce"].',
  ],
  [/response_type/, 'Send response_type=code.'],
  [/client_id/, 'Send client_id, once.'],
]

/** The engine's errors that no app could be told of, as our own page: kind to the person, precise for the developer. */
export function createErrorPage(views: Views, isUnavailable: (error: unknown) => boolean) {
  return async (ctx: KoaContextWithOIDC, out: ErrorOut, error: EngineError) => {
    const told = 'allow_redirect' in error || 'error_description' in error
    const problem = told ? null : asProblem(error, isUnavailable)
    if (problem?.retryAfter) ctx.set('Retry-After', String(problem.retryAfter))
    const page = views.page(errorPage, {
      title: problem?.status === 503 ? 'One moment, please' : 'This sign-in cannot continue',
      what: problem?.what ?? whatHappened(out),
      todo: problem?.todo ?? whatToDo(out),
      requestId: requestId(ctx),
      developer: problem
        ? null
        : { code: out.error, detail: out.error_description ?? null, fix: fixFor(out) },
      back: problem ? null : await backTo(ctx),
    })
    sendPage(ctx, page, problem?.status ?? ctx.status)
  }
}

const isStale = (out: ErrorOut) =>
  /expired|interaction session|session and|could not find logout/.test(out.error_description ?? '')

const whatHappened = (out: ErrorOut) =>
  isStale(out)
    ? 'This sign-in was already used, or it took too long.'
    : 'The app that sent you here asked for something we cannot accept.'

const whatToDo = (out: ErrorOut) =>
  isStale(out)
    ? 'Go back to the app and sign in again.'
    : 'There is nothing you can do about it here. Go back to the app, and tell its makers if it happens again.'

function fixFor({ error, error_description }: ErrorOut): string | null {
  const text = `${error} ${error_description ?? ''}`
  return FIXES.find(([words]) => words.test(text))?.[1] ?? null
}

/** The app of this request, or else the one the browser last began a journey for. */
async function backTo(ctx: KoaContextWithOIDC): Promise<{ label: string; url: string } | null> {
  const { provider } = ctx.oidc
  const origin = ctx.cookies.get(cookieNames(provider.issuer).origin, { signed: true })
  const client = ctx.oidc.client ?? (origin ? await provider.Client.find(origin) : undefined)
  return client ? wayBack(client, ACCOUNT_CLIENT_ID) : null
}
