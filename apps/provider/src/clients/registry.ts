// Relying parties and APIs the configuration file names.
import type { ClientConfig, ResourceConfig } from '../config.ts'

/** An API that access tokens are issued for (RFC 8707). */
export type Resource = ResourceConfig

export type Registry = {
  clients: ClientConfig[]
  resources: Resource[]
  /** The house's own app: its people are not asked for consent. */
  isFirstParty(clientId: string): boolean
  findResource(audience: string): Resource | null
  /** For clients that do not name their API: the one that knows any of these scopes; null where several do. */
  findResourceByScopes(scopes: Iterable<string>): Resource | null
}

export function createRegistry(clients: ClientConfig[], resources: Resource[]): Registry {
  const byAudience = new Map(resources.map((resource) => [resource.audience, resource]))
  return {
    clients,
    resources,
    isFirstParty: (clientId) => clients.some((client) => client.client_id === clientId && client.first_party),
    findResource: (audience) => byAudience.get(audience) ?? null,
    findResourceByScopes(scopes) {
      const wanted = [...scopes]
      const owners = resources.filter((resource) =>
        wanted.some((scope) => Object.hasOwn(resource.scopes, scope)),
      )
      return owners.length === 1 ? owners[0]! : null
    },
  }
}
