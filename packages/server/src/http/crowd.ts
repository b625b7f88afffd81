import type { Socket } from 'node:net';
import { networkOf } from '../platform/client-address.ts';

/**
 * Counts connections by where they come from, so that one address cannot have them all.
 * @param deps.exempt addresses that speak for many: this machine, trusted proxies
 * @returns whether a connection that has just come may stay; it is counted until it closes
 */
export function createCrowd(deps: {
  most: number;
  exempt(address: string): boolean;
}): (socket: Socket) => boolean {
  const counts = new Map<string, number>();
  return socket => {
    const address = socket.remoteAddress;
    // Gone again already.
    if (address === undefined || deps.exempt(address)) return true;
    const network = networkOf(address);
    const count = counts.get(network) ?? 0;
    if (count >= deps.most) return false;
    counts.set(network, count + 1);
    socket.once('close', () => {
      const left = counts.get(network)! - 1;
      if (left === 0) counts.delete(network);
      else counts.set(network, left);
    });
    return true;
  };
}
