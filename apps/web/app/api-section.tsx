// What the API answered, or what to do when it did not.
import type { ApiAnswer } from '@/lib/api'
import { settings } from '@/lib/settings'

export function ApiSection({ answer }: { answer: ApiAnswer }) {
  return (
    <section aria-labelledby="api-heading">
      <h2 id="api-heading">From the API</h2>
      {answer.kind === 'greeting' && <Greeting {...answer.greeting} />}
      {answer.kind === 'refused' && <Refused status={answer.status} />}
      {answer.kind === 'not-running' && <NotRunning />}
    </section>
  )
}

function Greeting({ greeting, sub, client_id, scope }: Extract<ApiAnswer, { kind: 'greeting' }>['greeting']) {
  return (
    <>
      <blockquote>{greeting}</blockquote>
      <dl>
        <dt>You</dt>
        <dd>{sub}</dd>
        <dt>This app</dt>
        <dd>{client_id}</dd>
        <dt>Allowed</dt>
        <dd>{scope}</dd>
      </dl>
    </>
  )
}

function Refused({ status }: { status: number }) {
  return (
    <p>
      The API answered with status {status} and no greeting. If that does not pass, check that ANTEROOM_ISSUER
      and API_AUDIENCE are the same for this app and for the API.
    </p>
  )
}

const DEBIAN_PACKAGES = 'python3-fastapi python3-uvicorn python3-jwt python3-cryptography'

function NotRunning() {
  return (
    <>
      <p>
        The API demo is not running at {settings.apiUrl}, so there is no answer to show. Everything else
        works. To start it, in a second terminal:
      </p>
      <pre>
        <code>
          pip install -r apps/api/requirements.txt{'\n'}
          python3 -m uvicorn --app-dir apps/api main:app
        </code>
      </pre>
      <p>
        On Debian, <code>apt install {DEBIAN_PACKAGES}</code> does in place of pip; start it with{' '}
        <code>/usr/bin/python3</code> then.
      </p>
    </>
  )
}
