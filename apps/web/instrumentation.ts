// Runs once, before the first request: a missing setting is told now and not at the first sign-in.

export async function register() {
  // Next.js compiles this file for its edge runtime too, where there is no process to end.
  if (process.env.NEXT_RUNTIME === 'nodejs') {
    const { requireSettings } = await import('@/lib/settings')
    requireSettings()
  }
}
