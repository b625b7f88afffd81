import { createServer } from 'node:http';

/**
 * A token endpoint as a strict provider has it: every refresh token is good once, takes a while, and a second use of one is
 * refused. Tells its parent what it saw when asked. Ends with it.
 */
const TAKES = 20;
const spent = new Set<string>();
let redemptions = 0;
let reused = 0;
let now = 0;
let atOnce = 0;
const bySecond = new Map<number, number>();

const server = createServer(async (req, res) => {
  let body = '';
  for await (const chunk of req) body += chunk;
  const token = new URLSearchParams(body).get('refresh_token') ?? '';
  redemptions++;
  atOnce = Math.max(atOnce, ++now);
  const second = Math.floor(performance.now() / 1000);
  bySecond.set(second, (bySecond.get(second) ?? 0) + 1);
  await new Promise(resolve => setTimeout(resolve, TAKES));
  now--;
  res.setHeader('content-type', 'application/json');
  if (spent.has(token)) {
    reused++;
    res.writeHead(400).end(JSON.stringify({ error: 'invalid_grant' }));
    return;
  }
  spent.add(token);
  const answer = {
    access_token: `fresh-${token}`,
    refresh_token: `${token}+`,
    token_type: 'bearer',
    expires_in: 3600,
  };
  res.end(JSON.stringify(answer));
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 16_384 }, () => {
  process.send!({ ready: (server.address() as { port: number }).port });
});
process.on('message', () =>
  process.send!({
    redemptions,
    reused,
    atOnce,
    perSecond: Math.max(0, ...bySecond.values()),
  } satisfies ProviderSaw),
);
process.on('disconnect', () => process.exit());

export interface ProviderSaw {
  readonly redemptions: number;
  /** Refresh tokens that came a second time. */
  readonly reused: number;
  /** The most that were under way together. */
  readonly atOnce: number;
  /** The most within a second of the clock. */
  readonly perSecond: number;
}
