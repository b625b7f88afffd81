import { type Command, Option as Flag } from 'commander';
import { type ConfigInput, type ReadConfig, readConfig } from '../config/config.ts';
import { flagOf, OPTIONS } from '../config/options.ts';
import { createLog } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { CreateGateway, Gateway } from './gateway.ts';

/** The world as a command sees it; a test gives it another. */
export interface World extends Pick<ConfigInput, 'env' | 'cwd' | 'readFile'> {
  out(text: string): void;
  err(text: string): void;
  readonly runtime: Runtime;
  /** Aborts when the process is told to end. */
  readonly signal: AbortSignal;
  readonly createGateway: CreateGateway;
}

/** A command's work. @returns the exit code; 0 for anything that is no number */
export type Act = (flags: Readonly<Record<string, unknown>>, ...operands: string[]) => Promise<unknown>;

/** Adds the options of the table as flags. Only `serve` shows them all in its help; every command understands them. */
export function withConfigFlags(command: Command, { shown = false } = {}): Command {
  command.addOption(
    new Flag(
      '--config <file>',
      'Configuration file. Default: SALLYPORT_CONFIG, else ./sallyport.yaml.',
    ).helpGroup('Configuration:'),
  );
  for (const option of OPTIONS) {
    const name = flagOf(option);
    if (name === null) continue;
    const value = option.form === 'boolean' ? '[true|false]' : option.form === 'list' ? '<a,b>' : '<value>';
    command.addOption(
      new Flag(`--${name} ${value}`, option.help.replaceAll('`', ''))
        .helpGroup('Configuration:')
        .hideHelp(!shown),
    );
  }
  return command;
}

export const configOf = (world: World, flags: Readonly<Record<string, unknown>>): ReadConfig =>
  readConfig({
    argvFlags: flags,
    env: world.env,
    cwd: world.cwd,
    ...(world.readFile ? { readFile: world.readFile } : {}),
  });

/** Opens the gateway without listening, for a command that does one thing; its log is for trouble only. */
export async function openGateway(world: World, flags: Readonly<Record<string, unknown>>): Promise<Gateway> {
  const { config } = configOf(world, flags);
  const log = createLog({ level: 'error', destination: { write: line => world.err(line) } });
  return world.createGateway({ config, runtime: world.runtime, log });
}
