import pino from 'pino'

/** What every room may call: a structured line, an object first, never a secret in it. */
export type Log = Pick<pino.Logger, 'debug' | 'info' | 'warn' | 'error'>

/** JSON lines in production, readable lines in development. */
export function createLog(level: string, readable: boolean): Log {
  if (!readable) return pino({ level })
  return pino({
    level,
    transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname', translateTime: 'HH:MM:ss' } },
  })
}

export const silentLog: Log = pino({ level: 'silent' })
