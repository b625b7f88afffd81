import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Candidate } from './candidates/candidates.ts';
import { CANDIDATE_CORE, freePort, listening, start } from './processes.ts';

const SERVER = join(import.meta.dirname, '../packages/server');
const UPSTREAM = 'bench';

/** @returns why the whole gateway cannot be started, or null */
export function gatewayMissing(): string | null {
  return existsSync(join(SERVER, 'src/app.ts')) ? null : 'packages/server/src/app.ts is not there';
}

/** A folder with all that `sallyport serve` needs: database, key and configuration, one user signed in with a grant. */
export interface SeededGateway {
  readonly port: number;
  /** The `Cookie` header's value. */
  readonly cookie: string;
  /** Of the same user, for what dials out. */
  readonly key: string;
  /** What starts it. */
  readonly command: readonly string[];
}

/** What a suite needs besides the two upstreams that all have. */
export interface MoreConfig {
  /** MCP servers over HTTP by id: their ports. */
  readonly mcp?: Readonly<Record<string, number>>;
  readonly tunnelsPerUser?: number;
  /** Others, as the configuration has them. */
  readonly upstreams?: readonly object[];
}

export async function seedGateway(
  upstreamPort: number,
  folder: string,
  more: MoreConfig = {},
): Promise<SeededGateway> {
  // Late, so that a product in pieces does not keep the others from being measured.
  const { openRooms, PROVIDER } = await import('./rooms.ts');
  const rooms = await openRooms(folder);
  const { cookie, userId } = await rooms.signedIn('ada');
  const { key } = await rooms.keys.create({
    userId,
    name: 'bench',
    admin: false,
    scope: null,
    expiresAt: null,
  });
  await rooms[Symbol.asyncDispose]();
  const port = await freePort();
  const file = join(folder, 'sallyport.yaml');
  // JSON is YAML.
  await writeFile(file, JSON.stringify(configuration(port, upstreamPort, folder, PROVIDER, more)), {
    mode: 0o600,
  });
  return {
    port,
    cookie,
    key,
    command: [process.execPath, join(SERVER, 'bin/sallyport.js'), 'serve', '--config', file],
  };
}

/** The whole gateway as a user runs it: the session's cookie is checked, a grant behind it opened, its token sent, all of it counted and audited. */
export async function startGateway(
  upstreamPort: number,
  folder: string,
  more: MoreConfig = {},
): Promise<Candidate & Pick<SeededGateway, 'key' | 'cookie'>> {
  const { port, cookie, key, command } = await seedGateway(upstreamPort, folder, more);
  const running = start(CANDIDATE_CORE, command, { cwd: folder });
  await listening(port);
  return {
    name: 'sallyport',
    key,
    cookie,
    pid: running.pid,
    port,
    // The model API is found by the model in the body, everything else by the upstream's name.
    path: path => (path === '/v1/chat/completions' ? path : `/u/${UPSTREAM}${path}`),
    headers: `cookie: ${cookie}\r\n`,
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

function configuration(
  port: number,
  upstreamPort: number,
  folder: string,
  provider: string,
  { mcp = {}, tunnelsPerUser, upstreams = [] }: MoreConfig,
) {
  const credential = { use: 'sign-in', token: 'access_token' };
  const access = { everyone: true };
  const url = `http://127.0.0.1:${upstreamPort}`;
  return {
    listen: `127.0.0.1:${port}`,
    publicUrl: `http://localhost:${port}`,
    store: `sqlite:${join(folder, 'sallyport.db')}`,
    dataDir: folder,
    // Nobody signs in and nothing is refreshed here, so it is never asked.
    providers: [
      { id: provider, issuer: 'http://127.0.0.1:9', clientId: 'bench', clientSecret: 'bench-secret' },
    ],
    upstreams: [
      { id: UPSTREAM, kind: 'http', url, credential, access },
      { id: 'bench-models', kind: 'openai', url: `${url}/v1`, models: ['bench*'], credential, access },
      ...Object.entries(mcp).map(([id, at]) => ({
        id,
        kind: 'mcp',
        url: `http://127.0.0.1:${at}/mcp`,
        credential,
        access,
      })),
      ...upstreams.map(one => ({ credential, access, ...one })),
    ],
    ...(tunnelsPerUser === undefined ? {} : { tunnelsPerUser }),
  };
}
