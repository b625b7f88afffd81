import { join } from 'node:path';
import type { Candidate } from './candidates/candidates.ts';
import type { SeededGateway } from './gateway-process.ts';
import { sleep } from './load/window.ts';
import { LOAD_CORE, type Running, start } from './processes.ts';

const AGENT = join(import.meta.dirname, '../packages/agent/bin/sallyport-agent.js');

/** An agent on the load's core, as a user runs it, and the path on which its server is reached. */
export async function startAgent(
  gateway: Candidate & Pick<SeededGateway, 'key' | 'cookie'>,
  name: string,
  served: readonly string[],
): Promise<Running & { path: string }> {
  const url = `http://localhost:${gateway.port}`;
  const command = [process.execPath, AGENT, '--gateway', url, '--name', name, ...served];
  const running = start(LOAD_CORE, command, { env: { SALLYPORT_KEY: gateway.key } });
  for (let tries = 0; tries < 200; tries++) {
    const answer = await fetch(`${url}/api/v1/tunnels`, { headers: { cookie: gateway.cookie } });
    const { items } = (await answer.json()) as { items: { name: string; connected: boolean }[] };
    const found = items.find(tunnel => tunnel.connected && tunnel.name.endsWith(`/${name}`));
    if (found !== undefined) return Object.assign(running, { path: `/mcp/${found.name}` });
    await sleep(50);
  }
  throw new Error(`the agent ${name} did not connect`);
}
