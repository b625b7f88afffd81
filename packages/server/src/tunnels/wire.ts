import { z } from 'zod';
import type { Entry } from './registry.ts';
import { tunnelTools } from './tunnel-tools.ts';

const time = z.iso.datetime().describe('RFC 3339, UTC');

/** A tunnel as the API tells of it. */
export const tunnelBody = z.object({
  id: z.string(),
  name: z.string().describe('{user}/{name}: its id as an upstream'),
  alias: z.string().nullable().describe('A plain name that an admin gave it'),
  kind: z.enum(['mcp', 'http', 'stdio', 'terminal']),
  title: z.string().nullable(),
  owner_id: z.string(),
  owner: z.string().nullable().describe('Their name or address'),
  may_change: z.boolean().describe('Whether it is yours to share and to disconnect'),
  shared: z
    .object({ everyone: z.boolean(), users: z.array(z.string()), groups: z.array(z.string()) })
    .nullable()
    .describe('Null where it is not yours to share'),
  tools: tunnelTools.nullable().describe('Which may be called; null: all, or not yours to share'),
  url: z.string().describe('What a client is pointed at'),
  connected: z.boolean(),
  since: time.nullable().describe('Since when it is connected, or is not'),
  agent: z.string().nullable(),
  address: z.string().nullable().describe('Where its agent is; null where it is not yours'),
  calls: z.number().int().describe('Since its agent connected; while it is away, until it left'),
  under_way: z.number().int(),
  open_sockets: z.number().int().describe('WebSockets that are open: terminals, and those of HTTP servers'),
  bytes_up: z.number().int().describe('Toward the local server'),
  bytes_down: z.number().int(),
  latency_ms: z.number().nullable().describe('Mean of the last calls'),
  last_error: z.object({ at: time, said: z.string() }).nullable(),
  created_at: time,
  seen_at: time.describe('When an agent came with it last'),
});

const iso = (at: number): string => new Date(at).toISOString();

export function onWire(
  entry: Entry,
  about: { url: string; owner: string | null; mayChange: boolean },
): z.infer<typeof tunnelBody> {
  const { tunnel, upstream, live, leftAt } = entry;
  const tally = live?.tally ?? entry.lastTally;
  const error = tally?.lastError ?? null;
  const since = live?.since ?? leftAt;
  const { everyone, users, groups } = tunnel.shared;
  return {
    id: tunnel.id,
    name: upstream.id,
    alias: tunnel.alias,
    kind: tunnel.kind,
    title: tunnel.title,
    owner_id: tunnel.ownerId,
    owner: about.owner,
    may_change: about.mayChange,
    shared: about.mayChange ? { everyone, users: [...users], groups: [...groups] } : null,
    tools: about.mayChange ? tunnel.tools : null,
    url: about.url,
    connected: live !== null,
    since: since === null ? null : iso(since),
    agent: live?.agent ?? null,
    address: about.mayChange ? (live?.address ?? null) : null,
    calls: tally?.calls ?? 0,
    under_way: tally?.underWay ?? 0,
    open_sockets: tally?.sockets ?? 0,
    bytes_up: tally?.bytesUp ?? 0,
    bytes_down: tally?.bytesDown ?? 0,
    latency_ms: tally?.latency ?? null,
    last_error: error === null ? null : { at: iso(error.at), said: error.said },
    created_at: iso(tunnel.createdAt),
    seen_at: iso(tunnel.seenAt),
  };
}
