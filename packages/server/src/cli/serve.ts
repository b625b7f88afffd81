import { once } from 'node:events';
import type { Config } from '../config/types.ts';
import { holdStore } from '../platform/db/hold.ts';
import { AppError } from '../platform/errors.ts';
import { createLog, type Logger } from '../platform/log.ts';
import { configOf, type World } from './command.ts';
import type { Gateway } from './gateway.ts';

/** Runs the gateway until the signal. Prints one line when it is ready; the log goes to standard error. */
export async function serve(world: World, flags: Readonly<Record<string, unknown>>): Promise<void> {
  const { config } = configOf(world, flags);
  const log = createLog({ level: config.logLevel });
  // Before the gateway migrates what another one, of an older version, may be serving.
  using _held = holdStore(config.store, world.runtime);
  await using gateway = await open(world, config, log);
  if (gateway === null) return;
  const url = await listen(gateway, config);
  // Without a provider nobody could sign in: whoever sees this terminal is the first admin.
  const link = gateway.providers.list().length === 0 ? await gateway.adminLink() : null;
  const invitation =
    link === null ? '' : `No admin yet. This link makes you one, once, within 15 minutes:\n  ${link}\n`;
  world.out(`${invitation}sallyport ready on ${url}\n`);
  if (!world.signal.aborted) await once(world.signal, 'abort');
  log.info(`told to stop: open requests get ${config.drain / 1_000} s`);
}

/** Null when the process is told to end while it waits for its database. */
async function open(world: World, config: Config, log: Logger): Promise<Gateway | null> {
  const { runtime, signal } = world;
  try {
    return await world.createGateway({ config, runtime, log, patience: { ms: config.storeWait, signal } });
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

const ADVICE: Record<string, (address: string) => string> = {
  EADDRINUSE: address =>
    `${address} is taken by another program. Stop that one, or choose another address with --listen.`,
  EACCES: address =>
    `The system does not let this user listen on ${address}. Choose a port from 1024 with --listen.`,
  EADDRNOTAVAIL: address =>
    `${address} is no address of this machine. Choose another with --listen, such as 127.0.0.1:8080.`,
  ENOTFOUND: address =>
    `${address} names no machine. Choose another address with --listen, such as 127.0.0.1:8080.`,
};

async function listen(gateway: Gateway, { listen: { host, port } }: Config): Promise<string> {
  try {
    return (await gateway.start()).url;
  } catch (error) {
    const advice = ADVICE[(error as NodeJS.ErrnoException).code ?? ''];
    if (advice === undefined) throw error;
    throw new AppError('config_invalid', advice(`${host.includes(':') ? `[${host}]` : host}:${port}`), {
      cause: error,
    });
  }
}
