// Our own front page, the account console and recovery: ordinary pages that read the engine's session.
import Router from '@koa/router'
import { addressRoutes } from './address.routes.ts'
import type { AccountDependencies } from './dependencies.ts'
import { homeRoutes } from './home.routes.ts'
import { lostFactorsRoutes } from './lost-factors.routes.ts'
import { profileRoutes } from './profile.routes.ts'
import { recoveryRoutes } from './recovery.routes.ts'
import { resetRoutes } from './reset.routes.ts'
import { furnish } from './room.routes.ts'
import { securityRoutes } from './security.routes.ts'
import { undoRoutes } from './undo.routes.ts'
import { verifyRoutes } from './verify.routes.ts'

const PARTS = [
  homeRoutes,
  profileRoutes,
  securityRoutes,
  addressRoutes,
  verifyRoutes,
  undoRoutes,
  recoveryRoutes,
  resetRoutes,
  lostFactorsRoutes,
]

export function accountRoutes(deps: AccountDependencies): Router {
  const router = new Router()
  const room = furnish(deps)
  for (const add of PARTS) add(router, room)
  return router
}
