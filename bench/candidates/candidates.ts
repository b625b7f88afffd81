import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gatewayMissing, startGateway } from '../gateway-process.ts';
import { CANDIDATE_CORE, freePort, listening, type Running, readiness, start } from '../processes.ts';
import { haproxyConfig } from './haproxy.ts';
import { nginxConfig } from './nginx.ts';

/** A proxy or gateway that runs, and how it wants to be asked. */
export interface Candidate extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  /** Path on the candidate that leads to a path on the upstream. */
  path(upstreamPath: string): string;
  /** Header fields it needs beside those that all candidates get; each ends with CRLF. */
  readonly headers: string;
}

export interface Recipe {
  readonly name: string;
  /** What is missing and how to install it, or null when it can run. */
  missing(): string | null;
  /** @param folder a directory of its own */
  start(upstreamPort: number, folder: string): Promise<Candidate>;
}

const BENCH = join(import.meta.dirname, '..');
/** As long as the session cookie of ours, so that every candidate reads the same number of bytes. */
const OTHER_COOKIE = `cookie: oauth_session_id=${'c'.repeat(43)}\r\n`;

export const GATEWAY = 'sallyport';
export const BARE = 'bare undici';
export const NGINX = 'nginx';
export const REPLY_FROM = 'reply-from';
export const PORTKEY = 'portkey';

export const RECIPES: readonly Recipe[] = [
  {
    name: GATEWAY,
    missing: gatewayMissing,
    start: (upstreamPort, folder) => startGateway(upstreamPort, folder),
  },
  {
    name: NGINX,
    missing: () => program('nginx'),
    async start(upstreamPort, folder) {
      const port = await freePort();
      const file = join(folder, 'nginx.conf');
      await writeFile(file, nginxConfig(folder, port, upstreamPort));
      return plain(NGINX, start(CANDIDATE_CORE, [find('nginx')!, '-p', folder, '-c', file]), port);
    },
  },
  {
    name: 'haproxy',
    missing: () => program('haproxy'),
    async start(upstreamPort, folder) {
      const port = await freePort();
      const file = join(folder, 'haproxy.cfg');
      await writeFile(file, haproxyConfig(port, upstreamPort));
      return plain('haproxy', start(CANDIDATE_CORE, [find('haproxy')!, '-db', '-q', '-f', file]), port);
    },
  },
  {
    name: BARE,
    missing: () => null,
    start: upstreamPort => ours(BARE, 'candidates/bare-undici.ts', upstreamPort),
  },
  rival(REPLY_FROM, 'reply-from.js'),
  rival('http-proxy-3', 'http-proxy-3.js'),
  {
    ...rival(PORTKEY, 'portkey.js'),
    start: async upstreamPort => {
      const running = await ours(PORTKEY, 'rivals/portkey.js', upstreamPort);
      const wanted = [
        'x-portkey-provider: openai',
        `x-portkey-custom-host: http://127.0.0.1:${upstreamPort}/v1`,
        'authorization: Bearer bench',
      ];
      return {
        ...running,
        headers: running.headers + wanted.map(line => `${line}\r\n`).join(''),
        // Of a model API it forwards only the paths it knows; a file's is one with GET.
        path: path => path.replace(/^\/v1\/(small|large)$/, '/v1/files/$1'),
      };
    },
  },
];

/** Installs the npm packages of the rivals beside their own lock file. @returns why it did not, or null */
export function installRivals(): string | null {
  const cwd = join(BENCH, 'rivals');
  const { dependencies } = JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  // One that joined since the others were installed is asked for, too.
  if (Object.keys(dependencies).every(name => existsSync(join(cwd, 'node_modules', name)))) return null;
  process.stderr.write('installing the npm packages of bench/rivals (once) …\n');
  const npm = spawnSync('npm', ['ci', '--ignore-scripts'], { cwd, encoding: 'utf8' });
  return npm.status === 0 ? null : `npm ci in bench/rivals failed: ${npm.stderr.trim().split('\n')[0]}`;
}

function rival(name: string, file: string): Recipe {
  return {
    name,
    missing: () => (existsSync(join(BENCH, 'rivals/node_modules')) ? null : 'run npm ci in bench/rivals'),
    start: upstreamPort => ours(name, `rivals/${file}`, upstreamPort),
  };
}

async function ours(name: string, file: string, upstreamPort: number): Promise<Candidate> {
  const command = [process.execPath, join(BENCH, file), String(upstreamPort)];
  const running = start(CANDIDATE_CORE, command, { ipc: true });
  return plain(name, running, await readiness<number>(running));
}

async function plain(name: string, running: Running, port: number): Promise<Candidate> {
  await listening(port);
  return {
    name,
    pid: running.pid,
    port,
    path: path => path,
    headers: OTHER_COOKIE,
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

function program(name: string): string | null {
  return find(name) ? null : `install ${name} (apt-get install ${name})`;
}

function find(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];
  return folders.map(folder => join(folder, name)).find(existsSync);
}
