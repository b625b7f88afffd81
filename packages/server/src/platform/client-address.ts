import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { rangeTest } from './net.ts';

/** What of a request says where it comes from. */
export interface Arrival {
  readonly headers: IncomingHttpHeaders;
  /** Of the connection itself. */
  readonly remoteAddress: string | undefined;
}

export type AddressOf = (arrival: Arrival) => string;

/** Stands for an address that is not known: all who have none share what one address may do. */
const NOWHERE = 'unknown';

/**
 * Where a request comes from: the connection's own address, and behind trusted proxies the last hop that is none of them. What stands left of
 * that in `X-Forwarded-For` was written by whoever sent the request, and is not looked at.
 * @param trusted addresses and CIDR ranges of proxies that append to `X-Forwarded-For`
 */
export function createAddressOf(trusted: readonly string[]): AddressOf {
  const isTrusted = rangeTest(trusted);
  return ({ headers, remoteAddress }) => {
    let address = remoteAddress ?? NOWHERE;
    if (trusted.length === 0) return address;
    // node:http joins several such headers with commas, in their order.
    const hops = String(headers['x-forwarded-for'] ?? '').split(',');
    while (isTrusted(address)) {
      const before = bareAddress(hops.pop() ?? '');
      if (before === null) return address;
      address = before;
    }
    return address;
  };
}

/** The same where whoever is at the other end of the connection is trusted, and nobody before it: whom that one saw itself. */
export const lastHop: AddressOf = ({ headers, remoteAddress }) => {
  const hop = String(headers['x-forwarded-for'] ?? '')
    .split(',')
    .at(-1)!
    .trim();
  return isIP(hop) === 0 ? (remoteAddress ?? NOWHERE) : hop;
};

/** Some proxies add the port: `203.0.113.7:4711`, `[2001:db8::1]:4711`. */
function bareAddress(hop: string): string | null {
  const text = hop.trim();
  const bare = /^\[(.+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  return ipaddr.isValid(bare) ? bare : null;
}

/**
 * By what an address is counted: IPv6 by its /64, which is the least that one customer gets, so that nobody has as many tries as there are
 * addresses in it (RFC 6177 section 2); IPv4, also in IPv6 clothes, as it is.
 */
export function networkOf(address: string): string {
  if (!address.includes(':') || !ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  const prefix = parsed.parts.slice(0, 4).map(part => part.toString(16));
  return `${prefix.join(':')}::/64`;
}
