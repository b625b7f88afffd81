/**
 * `npm run test:peers`: what the tests say of terminal servers, said of the published open-terminal, which Python installs into a directory that
 * is thrown away. Skipped, and said so, where Python or the package cannot be had; OPEN_TERMINAL=PATH uses one that is there.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PACKAGE = 'open-terminal';
const PEERS = ['packages/server/test/peers/open-terminal.peer.ts'];

const directory = mkdtempSync(join(tmpdir(), 'sallyport-peers-'));
const ran = (program: string, ...args: string[]) =>
  spawnSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8', timeout: 300_000 });

function install(): string | null {
  const given = process.env['OPEN_TERMINAL'];
  if (given !== undefined) return given;
  const bin = join(directory, process.platform === 'win32' ? 'Scripts' : 'bin');
  for (const [program, ...args] of [
    ['python3', '-m', 'venv', directory],
    [join(bin, 'pip'), 'install', '--quiet', PACKAGE],
  ] as const) {
    const { status, error, stderr } = ran(program, ...args);
    if (status === 0) continue;
    console.log(
      `skipped: ${[program, ...args].join(' ')}: ${(error?.message ?? stderr).trim().split('\n').at(-1)}`,
    );
    return null;
  }
  return join(bin, PACKAGE);
}

try {
  const program = install();
  if (program !== null) {
    const env = { ...process.env, OPEN_TERMINAL: program };
    process.exitCode =
      spawnSync(process.execPath, ['--test', ...PEERS], { stdio: 'inherit', env }).status ?? 1;
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
