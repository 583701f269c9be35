/** The network between us and the database, as Node names its failures. */
const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/**
 * SQLSTATE codes and classes with which PostgreSQL says "not now"
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html).
 */
const SQL_STATE = new RegExp(
  [
    '08...', // connection exceptions
    '53...', // out of disk, memory or connections
    '57P0.', // shutting down, starting up, connection ended by an administrator
    '58030', // input or output failed
    '57014', // statement timeout
    '55P03', // lock timeout
    '25P0[34]', // idle or long transaction ended
    '25006', // read only: a standby, for the moment of a failover
  ]
    .map((code) => `^${code}$`)
    .join('|'),
)

/**
 * Unreachable, timed out, closed, no free connection, too many connections
 * (https://www.prisma.io/docs/orm/reference/error-reference).
 */
const PRISMA = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2037'])

/** What Prisma's adapter makes of network errors; the others keep their SQLSTATE. */
const ADAPTER = new Set(['DatabaseNotReachable', 'ConnectionClosed', 'SocketTimeout', 'TooManyConnections'])

/** Drivers give these no code, or one that says nothing. */
const MESSAGE = new RegExp(
  [
    '^Connection terminated', // pg; also "… unexpectedly" and "… due to connection timeout"
    '^timeout exceeded when trying to connect$', // pg: no connection became free
    '^timeout expired$', // pg
    'and is not queryable$', // pg: the connection was lost a moment ago
    '^Cannot use a pool after calling end on the pool$', // pg: we are stopping
    'Unable to start a transaction in the given time', // Prisma, P2028
    'expired transaction', // Prisma, P2028
  ].join('|'),
)

/**
 * Did the database fail us, rather than we it? Then the answer is "try again in a moment" (503), whatever was asked.
 * Looks through all that drivers and Prisma wrap around the cause. Network errors it knows by their codes alone:
 * whoever calls other servers must not hand on theirs as `cause`, or they pass for the database's.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  return layersOf(error).some(
    ({ code, originalCode, kind, syscall, message }) =>
      isUnavailableCode(code) ||
      isUnavailableCode(originalCode) ||
      (code === 'ENOENT' && syscall === 'connect') || // the embedded database's socket, or a local server's
      ADAPTER.has(String(kind)) ||
      MESSAGE.test(String(message)),
  )
}

const isUnavailableCode = (code: unknown) =>
  typeof code === 'string' && (NETWORK.has(code) || PRISMA.has(code) || SQL_STATE.test(code))

type Layer = Partial<
  Record<'code' | 'originalCode' | 'kind' | 'syscall' | 'message' | 'cause' | 'errors' | 'meta', unknown>
>

/** The error and everything it was made from: causes, the errors of an AggregateError, Prisma's driver error. */
function layersOf(error: unknown, seen = new Set<unknown>()): Layer[] {
  if (typeof error !== 'object' || error === null || seen.has(error)) return []
  seen.add(error)
  const layer: Layer = error
  const driverError = (layer.meta as { driverAdapterError?: unknown } | undefined)?.driverAdapterError
  const inner = [layer.cause, driverError, ...(Array.isArray(layer.errors) ? layer.errors : [])]
  return [layer, ...inner.flatMap((next) => layersOf(next, seen))]
}
