// Passkeys: signing in by autofill or by button, adding one, telling the browser which ones are left. Without this script,
// or in a browser that knows no passkeys, what needs them stays hidden.
const SENT = ['csrf', 'email', 'response', 'trust']
const REMOVED = 'anteroom-removed-passkey'
const MONTH = 30 * 24 * 60 * 60 * 1000
const { PublicKeyCredential } = window

if (PublicKeyCredential && navigator.credentials) {
  for (const part of document.querySelectorAll('[data-passkey]')) open(part)
  for (const panel of document.querySelectorAll('[data-accepted-passkeys]')) signal(panel)
  hint()
}

/** Only where the device makes passkeys by itself is one offered. What *Not now* has left there, no script can write over. */
async function hint() {
  if (!(await PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable?.())) return
  const expires = Date.now() + MONTH
  const hinted = { name: 'anteroom_passkeys', value: 'possible', path: '/', sameSite: 'lax', expires }
  window.cookieStore?.set(hinted).catch(() => undefined)
}

/** One ceremony: its button, and autofill where the page has a field for it. */
function open(part) {
  const button = part.querySelector('button')
  const status = part.querySelector('[role=status]')
  const { passkey: kind, lifetime } = part.dataset
  let asked = null
  let isAnswering = false

  // The browser asks one thing at a time: whoever asks gives up what was asked before.
  async function ask(mediation) {
    asked?.abort()
    const own = new AbortController()
    asked = own
    isAnswering = !mediation
    status.textContent = ''
    try {
      const publicKey = parse(kind, JSON.parse(part.dataset.options))
      const credential = await navigator.credentials[kind]({ publicKey, mediation, signal: own.signal })
      if (credential) send(credential)
    } catch (error) {
      if (own.signal.aborted || mediation) return
      isAnswering = false
      const { cancelled, existing } = part.dataset
      status.textContent = (error.name === 'InvalidStateError' && existing) || cancelled
      await autofill()
    }
  }

  async function autofill() {
    const knows =
      'autofill' in part.dataset && (await PublicKeyCredential.isConditionalMediationAvailable?.())
    if (knows) ask('conditional')
  }

  // Nothing goes along that the passkey does not need: a browser may have filled in a password.
  function send(credential) {
    const { form } = button
    const field = part.querySelector('[name=response]')
    field.value = JSON.stringify(answerOf(credential))
    form.addEventListener(
      'formdata',
      ({ formData }) => {
        field.value = ''
        for (const name of [...formData.keys()]) if (!SENT.includes(name)) formData.delete(name)
      },
      { once: true },
    )
    form.requestSubmit(button)
  }

  // A page that stays open gets a new challenge before the old one is over.
  async function renew() {
    const answer = await fetch(location.href).catch(() => null)
    if (!answer?.ok) return
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
    const fresh = page.getElementById(part.id)?.dataset.options
    if (!fresh) return
    part.dataset.options = fresh
    setTimeout(renew, lifetime * 0.8)
    if (!isAnswering) await autofill()
  }

  button.addEventListener('click', (event) => {
    event.preventDefault()
    ask()
  })
  part.hidden = false
  for (const excuse of document.querySelectorAll('[data-without-passkeys]')) excuse.hidden = true
  if ('starts' in part.dataset) ask()
  else autofill()
  if ('autofill' in part.dataset) setTimeout(renew, lifetime * 0.8)
}

/** What is removed here is no longer offered there (WebAuthn L3, section 5.1.10). */
function signal(panel) {
  const accepted = JSON.parse(panel.dataset.acceptedPasskeys)
  const removed = sessionStorage.getItem(REMOVED)
  const quietly = (promise) => promise?.catch(() => undefined)
  quietly(PublicKeyCredential.signalAllAcceptedCredentials?.(accepted))
  if (removed && !accepted.allAcceptedCredentialIds.includes(removed)) {
    sessionStorage.removeItem(REMOVED)
    quietly(PublicKeyCredential.signalUnknownCredential?.({ rpId: accepted.rpId, credentialId: removed }))
  }
  for (const form of panel.querySelectorAll('[data-removes-passkey]'))
    form.addEventListener('submit', () => sessionStorage.setItem(REMOVED, form.dataset.removesPasskey))
}

// The JSON forms of WebAuthn L3; browsers from before 2025 have them in part.
function parse(kind, json) {
  const native =
    kind === 'create'
      ? PublicKeyCredential.parseCreationOptionsFromJSON
      : PublicKeyCredential.parseRequestOptionsFromJSON
  if (native) return native.call(PublicKeyCredential, json)
  const named = (list) => list?.map((each) => ({ ...each, id: toBytes(each.id) }))
  const { user, allowCredentials, excludeCredentials } = json
  return {
    ...json,
    challenge: toBytes(json.challenge),
    ...(user && { user: { ...user, id: toBytes(user.id) } }),
    ...(allowCredentials && { allowCredentials: named(allowCredentials) }),
    ...(excludeCredentials && { excludeCredentials: named(excludeCredentials) }),
  }
}

function answerOf(credential) {
  try {
    return credential.toJSON()
  } catch {
    const { id, rawId, type, response } = credential
    const parts = ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']
    const said = parts.filter((name) => response[name]).map((name) => [name, toText(response[name])])
    const transports = response.getTransports?.()
    return { id, rawId: toText(rawId), type, response: { ...Object.fromEntries(said), transports } }
  }
}

function toBytes(text) {
  const bytes = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(bytes, (character) => character.charCodeAt(0))
}

function toText(buffer) {
  const bytes = btoa(String.fromCharCode(...new Uint8Array(buffer)))
  return bytes.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
