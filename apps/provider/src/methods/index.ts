import type { Policy } from '../config.ts'
import type { UserStore } from '../users/store.ts'
import type { SignInMethod } from './method.ts'
import type { Hasher } from './password/hasher.ts'
import { createPasswordMethod } from './password/index.ts'

export type MethodDependencies = { users: UserStore; hasher: Hasher; policy: Policy; service: string }

/** The sign-in methods, in the order people see them. Adding one is adding a line. */
export const createMethods = ({ users, hasher, policy, service }: MethodDependencies): SignInMethod[] => [
  createPasswordMethod({
    users,
    hasher,
    service,
    rules: { minLength: policy.password.min_length, minStrength: policy.password.min_strength },
  }),
]
