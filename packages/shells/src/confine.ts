import { spawnSync } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ShellSettings, ShellSettingsError } from './settings.ts';

/** A program as it is to be started. */
export interface Confined {
  readonly file: string;
  readonly args: readonly string[];
  /** Where it begins, on this machine. */
  readonly cwd: string;
}

/** Puts a program behind its limits, so that nothing of it outlives this process or reaches further than its settings say. */
export interface Confinement {
  /**
   * @param home the user's, on this machine
   * @param cwd as the user sees it
   * @param reads what of this machine the program has to see besides, where it is isolated
   */
  (command: readonly string[], place: { home: string; cwd: string; reads?: readonly string[] }): Confined;
  /** How a user sees their home. */
  homeOf(home: string): string;
}

/** Where an isolated user is at home. */
const ISOLATED_HOME = '/home/user';
const ISOLATED_ID = '1000';
const PASSWD = `root:x:0:0::/:/usr/sbin/nologin\nuser:x:${ISOLATED_ID}:${ISOLATED_ID}::${ISOLATED_HOME}:/bin/bash\n`;
/** Of the machine's settings, what programs need and nobody keeps secrets in. */
const SHOWN_OF_ETC = [
  'alternatives',
  'bash.bashrc',
  'ca-certificates',
  'inputrc',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'mime.types',
  'nsswitch.conf',
  'os-release',
  'pki/tls/certs',
  'profile',
  'profile.d',
  'protocols',
  'services',
  'ssl/certs',
  'ssl/openssl.cnf',
  'terminfo',
  'vim',
];
const SHOWN_WITH_NETWORK = ['gai.conf', 'host.conf', 'hosts', 'resolv.conf'];

/**
 * @throws ShellSettingsError where this machine cannot do what the settings say: a shell is never less confined than it was to be
 */
export function createConfinement(settings: ShellSettings): Confinement {
  const { limits, account } = settings;
  const prefix: string[] = [];
  const setpriv = process.platform === 'linux' ? programNamed('setpriv') : null;
  if (setpriv !== null) {
    prefix.push(setpriv, '--pdeathsig', 'KILL');
    if (!settings.privileges) prefix.push('--no-new-privs');
    if (account !== null)
      prefix.push('--reuid', String(account.uid), '--regid', String(account.gid), '--clear-groups');
    prefix.push('--');
  }
  if (account !== null && (setpriv === null || process.getuid?.() !== 0))
    throw new ShellSettingsError('account: only root can run shells as another account, by setpriv');

  const bounds = Object.entries({ nproc: limits.processes, data: limits.memory, cpu: limits.cpu })
    .filter(([, most]) => most !== null)
    .map(([name, most]) => `--${name}=${most}`);
  if (bounds.length > 0) {
    const prlimit = programNamed('prlimit');
    if (prlimit === null)
      throw new ShellSettingsError(
        'limits: prlimit (util-linux) is not installed, and nothing else sets them',
      );
    prefix.push(prlimit, '--core=0', ...bounds, '--');
  }

  if (settings.isolate === 'none') return Object.assign(plain(prefix), { homeOf: (home: string) => home });
  const isolated = behindBubblewrap(settings, prefix);
  const { file, args } = isolated(['/bin/true'], { home: settings.homes!, cwd: ISOLATED_HOME });
  const tried = spawnSync(file, args, { env: {}, encoding: 'utf8', timeout: 10_000 });
  if (tried.status !== 0)
    throw new ShellSettingsError(
      `isolate: bubblewrap does not work on this machine (${(tried.error?.message ?? tried.stderr).trim()})`,
    );
  return Object.assign(isolated, { homeOf: () => ISOLATED_HOME });
}

const plain =
  (prefix: readonly string[]) =>
  (command: readonly string[], { cwd }: { cwd: string }): Confined => {
    const [file, ...args] = [...prefix, ...command];
    return { file: file!, args, cwd };
  };

/** Namespaces of its own for users, processes, mounts, names and messages, and for the network unless it is to have that. */
function behindBubblewrap(settings: ShellSettings, prefix: readonly string[]) {
  const { homes, network, limits } = settings;
  const bwrap = programNamed('bwrap');
  if (bwrap === null) throw new ShellSettingsError('isolate: bubblewrap (bwrap) is not installed');
  // Files that lie in memory are no process' memory.
  const size = limits.memory === null ? [] : ['--size', String(limits.memory)];
  if (size.length > 0 && !spawnSync(bwrap, ['--help'], { encoding: 'utf8' }).stdout?.includes('--size'))
    throw new ShellSettingsError('isolate: this bubblewrap bounds no /tmp; 0.7 and later do');
  if (homes === null) throw new ShellSettingsError('homes: expected a directory, since shells are isolated');
  mkdirSync(homes, { recursive: true, mode: 0o700 });
  const passwd = join(homes, '.passwd');
  writeFileSync(passwd, PASSWD);
  chmodSync(passwd, 0o644);
  const shown = [...SHOWN_OF_ETC, ...(network ? SHOWN_WITH_NETWORK : [])].map(name => `/etc/${name}`);
  const readOnly = (paths: readonly string[]) => paths.flatMap(path => ['--ro-bind-try', path, path]);
  const fixed = [
    ...['--die-with-parent', '--unshare-all', ...(network ? ['--share-net'] : [])],
    ...['--uid', ISOLATED_ID, '--gid', ISOLATED_ID, '--hostname', 'shell', '--cap-drop', 'ALL'],
    ...readOnly(['/usr', '/bin', '/sbin', '/lib', '/lib64', ...shown]),
    ...['--ro-bind', passwd, '/etc/passwd', '--proc', '/proc', '--dev', '/dev'],
    ...[...size, '--tmpfs', '/dev/shm', ...size, '--tmpfs', '/tmp'],
  ];
  // What these two are made of is memory as well, and nobody's to fill.
  const closed = ['--remount-ro', '/dev', '--remount-ro', '/'];
  return (
    command: readonly string[],
    { home, cwd, reads = [] }: { home: string; cwd: string; reads?: readonly string[] },
  ): Confined => {
    const place = [...readOnly(reads), '--bind', home, ISOLATED_HOME, ...closed, '--chdir', cwd];
    const [file, ...args] = [...prefix, bwrap, ...fixed, ...place, '--', ...command];
    return { file: file!, args, cwd: home };
  };
}

/** Of the directories where the system's own programs are, besides those that are looked through anyway. */
export function programNamed(name: string): string | null {
  const dirs = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/bin', '/usr/sbin', '/sbin'];
  for (const dir of dirs) {
    const path = join(dir, name);
    try {
      if (!dir.startsWith('/') || !existsSync(path)) continue;
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Another one, perhaps.
    }
  }
  return null;
}

/** What the program that does files needs to see of this machine: Node itself, and its own source. */
export const OWN_SOURCE = dirname(fileURLToPath(import.meta.url));
/** Does file calls where shells run. */
export const FILE_PROGRAM = `${OWN_SOURCE}/files/main.ts`;
