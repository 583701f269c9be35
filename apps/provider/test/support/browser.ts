/** A browser small enough to read: cookies with paths, forms, and every request it made. */
export type Page = {
  status: number
  url: string
  headers: Headers
  text: string
  /** Absolute address of a redirect or of a page that refreshes onward. */
  next: string | null
}

export type Browser = ReturnType<typeof createBrowser>

type Cookie = { name: string; value: string; path: string }
type Init = {
  method?: string
  form?: Record<string, string> | [string, string][]
  headers?: Record<string, string>
}

/** `headers` go with every request; `at` is where the server listens when its issuer is a name that leads nowhere. */
type Options = { headers?: Record<string, string>; at?: string }

export function createBrowser({ headers: always, at }: Options = {}) {
  const jar = new Map<string, Cookie>()
  const requests: string[] = []

  const cookiesFor = (url: URL) =>
    [...jar.values()]
      .filter(
        ({ path }) =>
          url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`),
      )
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ')

  async function send(address: string, { method, form, headers }: Init = {}): Promise<Page> {
    const url = new URL(address)
    requests.push(`${method ?? (form ? 'POST' : 'GET')} ${url.pathname}`)
    const response = await fetch(at ? new URL(url.pathname + url.search, at) : url, {
      method: method ?? (form ? 'POST' : 'GET'),
      redirect: 'manual',
      headers: { accept: 'text/html', cookie: cookiesFor(url), ...always, ...headers },
      body: form && new URLSearchParams(form),
    })
    for (const line of response.headers.getSetCookie()) keep(line)
    const text = await response.text()
    return {
      status: response.status,
      url: url.href,
      headers: response.headers,
      text,
      next: nextOf(response, text, url),
    }
  }

  function keep(line: string) {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
    const name = pair.slice(0, pair.indexOf('='))
    const value = pair.slice(pair.indexOf('=') + 1)
    const path = attributes.find((attribute) => /^path=/i.test(attribute))?.slice(5) ?? '/'
    const expires = attributes.find((attribute) => /^expires=/i.test(attribute))?.slice(8)
    const key = `${name}|${path}`
    if (!value || (expires && Date.parse(expires) < Date.now())) jar.delete(key)
    else jar.set(key, { name, value, path })
  }

  return {
    jar,
    requests,
    send,
    get: (url: string, headers?: Record<string, string>) => send(url, { headers }),
    /** Follows redirects and onward pages until one leaves for another origin or there is none. */
    async follow(page: Page): Promise<Page> {
      let current = page
      for (let hops = 0; current.next && sameOrigin(current.next, page.url); hops++) {
        if (hops > 10) throw new Error(`too many redirects, last to ${current.next}`)
        current = await send(current.next)
      }
      return current
    },
    /** Fills in and posts the form whose action ends so; hidden fields are sent as they stand. */
    submit(page: Page, action: string, fields: Record<string, string> = {}): Promise<Page> {
      const form = formsOf(page).find((candidate) => candidate.action.endsWith(action))
      if (!form) throw new Error(`${page.url} (${page.status}) has no form for ${action}`)
      return send(form.action, { form: { ...form.fields, ...fields }, method: 'POST' })
    },
    /** A second browser with the same cookies: what a thief of the jar would have. */
    copyJarTo(other: { jar: Map<string, Cookie> }) {
      for (const [key, cookie] of jar) other.jar.set(key, cookie)
    },
  }
}

function nextOf(response: Response, text: string, url: URL): string | null {
  const location =
    response.headers.get('location') ?? /http-equiv="refresh" content="0; ?url=([^"]+)"/.exec(text)?.[1]
  return location ? new URL(decode(location), url).href : null
}

const sameOrigin = (a: string, b: string) => new URL(a).origin === new URL(b).origin

/** What shows that a form was ours, of the first one on the page. */
export const csrfIn = ({ text }: { text: string }): string => /name="csrf" value="([^"]+)"/.exec(text)![1]!

/** Each address a form can be posted to: its own, and those of its buttons. */
export function formsOf(page: Page): { action: string; fields: Record<string, string> }[] {
  return [...page.text.matchAll(/<form([^>]*)>([\s\S]*?)<\/form>/g)].flatMap(
    ([, attributes = '', body = '']) => {
      const buttons = [...body.matchAll(/<button[^>]*formaction="([^"]*)"/g)].map(([, action = '']) => action)
      const actions = [/action="([^"]*)"/.exec(attributes)?.[1] ?? '', ...buttons]
      const fields = Object.fromEntries(
        [...body.matchAll(/<input[^>]*type="hidden"[^>]*>/g)].map(([input]) => [
          decode(/name="([^"]*)"/.exec(input)?.[1] ?? ''),
          decode(/value="([^"]*)"/.exec(input)?.[1] ?? ''),
        ]),
      )
      return actions.map((action) => ({ action: new URL(decode(action), page.url).href, fields }))
    },
  )
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#34': '"', '#39': "'" }
const decode = (html: string) =>
  html.replace(/&(amp|lt|gt|quot|#34|#39);/g, (_, name: string) => ENTITIES[name]!)

let networks = 0
/** A network of its own, told by a trusted proxy: what is limited there concerns nobody else. */
export const anotherNetwork = () => ({ 'x-forwarded-for': `198.18.${++networks >> 8}.${networks & 255}` })

export const TRUST_LOOPBACK = { TRUSTED_PROXIES: '127.0.0.0/8, ::1' }
