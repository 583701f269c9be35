// npm's postinstall: the database client belongs to the installed tree.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { generateClient, root } from './ready.mjs'

// A container installs dependencies before it has the sources.
if (existsSync(path.join(root, 'prisma/schema.prisma'))) generateClient()
