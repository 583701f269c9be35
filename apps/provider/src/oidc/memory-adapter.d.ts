// The one module of oidc-provider's insides that a test asks for, unknown to its types.
declare module 'oidc-provider/lib/adapters/memory_adapter.js' {
  import type { AdapterFactory } from 'oidc-provider'

  export function createMemoryAdapter(clockTolerance?: number): AdapterFactory
}
