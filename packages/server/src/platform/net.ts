import ipaddr from 'ipaddr.js';

/** A URL's host (IPv6 in brackets) or a bare address. */
const bare = (host: string): string => host.toLowerCase().replace(/^\[(.*)\]$/, '$1');

/** IPv4 hidden in IPv6 (`::ffff:10.0.0.1`) counts as the IPv4 address it reaches; null for what is no address. */
function parse(address: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  const text = bare(address);
  return ipaddr.isValid(text) ? ipaddr.process(text) : null;
}

/** Whether a host name or address can only mean this machine (RFC 6761 section 6.3, RFC 1122 section 3.2.1.3). */
export function isLoopbackHost(host: string): boolean {
  const name = bare(host);
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return parse(name)?.range() === 'loopback';
}

/** Whether an address is anything but public unicast: private, loopback, link-local, carrier-grade NAT, tunnelled, reserved. */
export function isPrivateAddress(address: string): boolean {
  return parse(address)?.range() !== 'unicast';
}

/**
 * Whether an address is link-local, unspecified, multicast or broadcast: where no server that we should call lives, and where
 * clouds keep their metadata service (169.254.169.254), which hands its credentials to whoever asks.
 */
export function isForbiddenAddress(address: string): boolean {
  const range = parse(address)?.range();
  return (
    range === undefined ||
    range === 'linkLocal' ||
    range === 'unspecified' ||
    range === 'multicast' ||
    range === 'broadcast' ||
    bare(address) === 'fd00:ec2::254'
  );
}

/** Whether a URL names an address outright, instead of a name that is looked up. */
export const namesAddress = (url: URL): boolean =>
  url.hostname.startsWith('[') || /^[\d.]+$/.test(url.hostname);

/** Whether an address equals, or lies in, one of the addresses and CIDR ranges. What is no address lies nowhere. */
export function inRanges(address: string, ranges: readonly string[]): boolean {
  const parsed = parse(address);
  if (parsed === null) return false;
  return ranges.some(range => {
    if (!range.includes('/')) return parse(range)?.toNormalizedString() === parsed.toNormalizedString();
    if (!ipaddr.isValidCIDR(range)) return false;
    const [network, bits] = ipaddr.parseCIDR(range);
    return network.kind() === parsed.kind() && parsed.match(network, bits);
  });
}

const MAX_KNOWN_ADDRESSES = 10_000;

/** The same of one list, remembering its answers: the few proxies there are come with every request, and reading addresses costs more than the rest. */
export function rangeTest(ranges: readonly string[]): (address: string) => boolean {
  const known = new Map<string, boolean>();
  return address => {
    let found = known.get(address);
    if (found === undefined) {
      found = inRanges(address, ranges);
      if (known.size >= MAX_KNOWN_ADDRESSES) known.clear();
      known.set(address, found);
    }
    return found;
  };
}
