import type { Principal } from '../terms/principal.ts';

/** Whoever comes without a credential where the operator does not require one. */
export const anonymous: Principal = Object.freeze({
  userId: 'anonymous',
  email: null,
  name: null,
  groups: Object.freeze([]),
  admin: false,
  proof: 'anonymous',
  credentialId: 'anonymous',
  grantId: null,
  scope: null,
});
