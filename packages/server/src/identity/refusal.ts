import { AppError } from '../platform/errors.ts';

/** No credential at all. RFC 6750 section 3.1: then the challenge carries no error code. */
export const credentialMissing = (): AppError =>
  new AppError('unauthenticated', 'Sign in, or send a gateway key or a token as "Authorization: Bearer …".', {
    headers: { 'www-authenticate': 'Bearer' },
  });

/** A credential was shown and is not valid: RFC 6750 section 3.1, `invalid_token`. It never falls through to a weaker one. */
export const credentialRefused = (message: string): AppError =>
  new AppError('unauthenticated', message, {
    headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
  });

/** More than one credential, or one that is repeated: RFC 6750 section 3.1, `invalid_request`. */
export const credentialAmbiguous = (message: string): AppError =>
  new AppError('bad_request', message, { headers: { 'www-authenticate': 'Bearer error="invalid_request"' } });
