/** Everything the log can say: past tense, never a secret. A new event is a new line here. */
export type AuditEvent =
  | { type: 'user.registered'; userId: string; method: string }
  | { type: 'sign_in.succeeded'; userId: string; amr: string[] }
  | { type: 'sign_in.failed'; userId?: string; method: string; reason: string }
  | { type: 'sign_in.more_asked'; userId: string; step: 'prove' | 'enrol' }
  | { type: 'sign_in.locked'; userId: string; method: string; lock: 'soft' | 'disabled' }
  | { type: 'address.confirmed'; userId: string }
  | { type: 'address.change_requested'; userId: string }
  | { type: 'address.changed'; userId: string }
  | { type: 'address.change_undone'; userId: string }
  | { type: 'password.changed'; userId: string; how: 'set' | 'changed' | 'reset' }
  | { type: 'password.removed'; userId: string }
  | { type: 'password.reset_requested'; userId?: string }
  | { type: 'totp.enrolled'; userId: string }
  | { type: 'totp.removed'; userId: string }
  | { type: 'recovery_codes.generated'; userId: string }
  | { type: 'recovery_codes.used'; userId: string; left: number }
  | { type: 'passkey.added'; userId: string; passkeyId: string; name: string }
  | { type: 'passkey.renamed'; userId: string; passkeyId: string; name: string }
  | { type: 'passkey.removed'; userId: string; passkeyId: string; name: string }
  | { type: 'passkey.clone_suspected'; userId: string; passkeyId: string; admitted: 'yes' | 'no' }
  | { type: 'device.trusted'; userId: string; deviceId: string }
  | { type: 'device.forgotten'; userId: string; deviceId: string }
  | { type: 'recovery.asked'; userId: string }
  | { type: 'recovery.stopped'; userId: string; by: 'letter' | 'session' }
  | { type: 'recovery.completed'; userId: string }
  | { type: 'profile.changed'; userId: string }
  | { type: 'sign_in.anomaly_detected'; limit: string }
  | { type: 'consent.granted'; userId: string; scopes: string[] }
  | { type: 'consent.denied'; userId: string }
  | { type: 'session.ended'; userId: string }
  | { type: 'token.reuse_detected'; userId?: string }

/** Where a request came from, as far as the log keeps it. */
export type Visit = { ip: string; userAgent: string; requestId: string; clientId?: string | undefined }
