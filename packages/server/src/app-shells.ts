import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { LIMITS, type ShellSettings, ShellSettingsError } from '@sallyport/shells/settings.ts';
import type { Shells } from '@sallyport/shells/shells.ts';
import type { Config } from './config/types.ts';
import { AppError } from './platform/errors.ts';
import type { Logger } from './platform/log.ts';
import type { Runtime } from './platform/runtime.ts';
import type { ShellRules, Upstream } from './terms/upstream.ts';

/** Terminal servers within this process, one for each upstream that is `embedded`. */
export interface JoinedShells extends AsyncDisposable {
  /** @throws AppError `config_invalid` where this machine cannot do what the configuration says */
  start(): Promise<void>;
  /** A connection to one. @throws AppError `upstream_unreachable` before it has started, and when it has ended */
  connect(upstream: Upstream): Duplex;
}

export function joinShells(deps: { config: Config; runtime: Runtime; log: Logger }): JoinedShells {
  const { config, runtime, log } = deps;
  const running = new Map<string, Shells>();

  async function startOne({ id, access, terminal }: Upstream): Promise<void> {
    // What most gateways never run is not loaded.
    const { createShells } = await import('@sallyport/shells/shells.ts');
    // A home is where a shell finds it from every other directory, too.
    const settings = settingsOf(terminal!.shells!, resolve(config.dataDir, 'shells', id));
    log.warn(
      { upstream: id, isolate: settings.isolate, account: settings.account },
      `${id} runs shells on this machine: ${meaning(settings)}, and ${whose(access)} may use it`,
    );
    running.set(id, createShells({ settings, key: null, clock: runtime }));
  }

  return {
    async start() {
      for (const upstream of config.upstreams) {
        if (upstream.terminal?.shells === undefined) continue;
        try {
          await startOne(upstream);
        } catch (error) {
          if (!(error instanceof ShellSettingsError)) throw error;
          throw new AppError('config_invalid', `upstream ${upstream.id}: ${error.message}`, { cause: error });
        }
      }
    },
    connect({ id }) {
      const shells = running.get(id);
      if (shells === undefined) throw new AppError('upstream_unreachable', `${id} does not run.`);
      return shells.connect();
    },
    async [Symbol.asyncDispose]() {
      const all = [...running.values()];
      running.clear();
      await Promise.all(all.map(shells => shells[Symbol.asyncDispose]()));
    },
  };
}

/** @throws ShellSettingsError */
function settingsOf(rules: ShellRules, homes: string): ShellSettings {
  const { cpu, ...limits } = rules.limits;
  const said = Object.entries(limits).filter(([, value]) => value !== undefined);
  return {
    shell: (rules.shell as [string, ...string[]] | null) ?? [
      existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh',
    ],
    homes: rules.homes ?? homes,
    env: {},
    account: rules.account === null ? null : accountOf(rules.account),
    privileges: false,
    lingers: false,
    isolate: rules.isolate,
    network: rules.network,
    limits: {
      ...LIMITS,
      ...Object.fromEntries(said),
      ...(cpu !== undefined && { cpu: Math.ceil(cpu / 1_000) }),
    },
  };
}

/** @throws ShellSettingsError */
function accountOf(name: string): { uid: number; gid: number } {
  const ids = /^(\d+):(\d+)$/.exec(name);
  if (ids !== null) return { uid: Number(ids[1]), gid: Number(ids[2]) };
  const [uid, gid] = ['-u', '-g'].map(which => spawnSync('id', [which, name], { encoding: 'utf8' }).stdout);
  if (!uid || !gid) throw new ShellSettingsError(`account: there is no account ${name}`);
  return { uid: Number(uid), gid: Number(gid) };
}

function meaning({ isolate, account }: ShellSettings): string {
  const isRoot = process.getuid?.() === 0 && account === null;
  if (isolate === 'bubblewrap') {
    const uncounted = isRoot ? ' (as root, of whose processes there may be any number: set account)' : '';
    return `each in namespaces of its own, with its user’s home and no other file${uncounted}`;
  }
  if (account !== null) return `as account ${account.uid}, which all its users share`;
  const root = isRoot ? ', which is root' : '';
  return `as the gateway’s own account${root}, so that they can read its database and its keys (isolate: bubblewrap, or account, prevents it)`;
}

const whose = ({ everyone, users, groups }: Upstream['access']): string =>
  everyone
    ? 'everyone who is signed in'
    : users.length + groups.length === 0
      ? 'admins'
      : 'admins and those whom its access rule names';
