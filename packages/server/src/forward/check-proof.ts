import { timingSafeEqual } from 'node:crypto';
import { AppError } from '../platform/errors.ts';
import { rangeTest } from '../platform/net.ts';
import type { Secret } from '../platform/secret.ts';
import type { Call } from './call.ts';

/** In which a proxy shows that it is one. */
export const PROXY_SECRET = 'x-sallyport-proxy-secret';

/**
 * Whether it is the operator's proxy that asks. The answer to it holds a person's token, and that person's own browser could ask as well, by way of
 * the very same proxy where it publishes the gateway: so the address of the connection proves nothing by itself, only a secret does that no browser
 * is ever given.
 * @param deps.secrets none: nobody may ask
 * @param deps.from addresses and ranges that the connection must come from besides; none: any
 */
export function createCheckProof(deps: {
  secrets: readonly Secret[];
  from: readonly string[];
}): (call: Call) => void {
  const secrets = deps.secrets.map(secret => Buffer.from(secret.reveal(), 'latin1'));
  const isNear = rangeTest(deps.from);

  const comesFromProxy = ({ remoteAddress }: Call): boolean =>
    deps.from.length === 0 || (remoteAddress !== undefined && isNear(remoteAddress));

  function showsSecret({ headers }: Call): boolean {
    const value = headers[PROXY_SECRET];
    if (typeof value !== 'string') return false;
    // One that came twice was joined, and so equals none.
    const shown = Buffer.from(value, 'latin1');
    return secrets.some(secret => secret.length === shown.length && timingSafeEqual(secret, shown));
  }

  /** @throws AppError `not_found` where it is switched off, `forbidden` */
  return call => {
    if (secrets.length === 0)
      throw new AppError('not_found', 'Forward-auth is switched off here; forwardAuthSecret switches it on.');
    if (!comesFromProxy(call) || !showsSecret(call)) {
      throw new AppError(
        'forbidden',
        `Only a proxy that shows the gateway's forwardAuthSecret as ${PROXY_SECRET} may ask, from trustedProxies where those are set.`,
      );
    }
  };
}
