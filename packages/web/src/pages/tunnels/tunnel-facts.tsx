import type { Tunnel } from '../../api/types.ts';
import type { Fact } from '../../design/course.tsx';
import { Moment } from '../../design/time.tsx';
import { bytes, duration } from './figures.ts';

/** What is known of a tunnel. */
export function tunnelFacts(tunnel: Tunnel): Fact[] {
  const facts: Fact[] = [['Address', <code key="a">{tunnel.url}</code>]];
  if (tunnel.alias !== null) facts.push(['Plain name', <code key="n">{tunnel.alias}</code>]);
  if (tunnel.agent !== null)
    facts.push(['Agent', tunnel.address === null ? tunnel.agent : `${tunnel.agent}, at ${tunnel.address}`]);
  if (tunnel.kind === 'terminal') facts.push(['Open terminals', String(tunnel.open_sockets)]);
  else if (tunnel.open_sockets > 0) facts.push(['Open WebSockets', String(tunnel.open_sockets)]);
  facts.push(['Calls', callsOf(tunnel)]);
  if (tunnel.bytes_up + tunnel.bytes_down > 0)
    facts.push(['Traffic', `${bytes(tunnel.bytes_up)} to it, ${bytes(tunnel.bytes_down)} back`]);
  if (tunnel.latency_ms !== null) facts.push(['Takes', `${duration(tunnel.latency_ms)} on average`]);
  if (tunnel.last_error !== null)
    facts.push([
      'Last error',
      <span key="e">
        <Moment at={tunnel.last_error.at} />: {tunnel.last_error.said}
      </span>,
    ]);
  return facts;
}

function callsOf({ calls, under_way: underWay }: Tunnel): string {
  if (calls === 0) return 'none yet';
  return underWay === 0 ? String(calls) : `${calls}, ${underWay} under way`;
}
