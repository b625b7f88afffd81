import { Command, CommanderError } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { AppError } from '../platform/errors.ts';
import { inviteAccount, resetAccount } from './accounts.ts';
import { type Act, type World, withConfigFlags } from './command.ts';
import { doctor } from './doctor.ts';
import { type CreateKeyFlags, createKey, listKeys, revokeKey } from './keys.ts';
import { checkConfig, migrateDatabase, printAdminLink, printConfig, rotateSecrets } from './maintenance.ts';
import { serve } from './serve.ts';

/**
 * Runs one command line.
 * @param args without the program's name
 * @returns the exit code: 0, or 1 for anything that did not work, told on standard error
 */
export async function run(args: readonly string[], world: World): Promise<number> {
  let code = 0;
  const program = new Command('sallyport')
    .description('A self-hosted, identity-aware gateway for AI tools.')
    .version(manifest.version)
    .configureOutput({ writeOut: world.out, writeErr: world.err })
    .exitOverride()
    .showHelpAfterError('(--help says what there is)');

  const add = (
    parent: Command,
    usage: string,
    description: string,
    act: Act,
    { shown = false } = {},
  ): Command =>
    withConfigFlags(parent.command(usage).description(description), { shown }).action(
      async (...given: unknown[]) => {
        // Commander's order: operands, flags, the command.
        const [flags] = given.slice(-2) as [Record<string, unknown>];
        const result = await act(flags, ...(given.slice(0, -2) as string[]));
        code = typeof result === 'number' ? result : 0;
      },
    );

  add(program, 'serve', 'Run the gateway.', flags => serve(world, flags), { shown: true });
  add(program, 'migrate', 'Bring the database to this version.', flags => migrateDatabase(world, flags));
  add(program, 'doctor', 'Check everything the gateway depends on, and say what to do.', flags =>
    doctor(world, flags),
  );
  add(program, 'admin-link', 'Print a one-time link that makes the first admin.', flags =>
    printAdminLink(world, flags),
  );

  const config = program.command('config').description('Look at the configuration.');
  add(config, 'check', 'Check it; all problems at once.', flags => checkConfig(world, flags));
  add(config, 'print', 'Print it, complete and with secrets masked.', flags =>
    printConfig(world, flags),
  ).option('--json', 'as JSON');

  const keys = program.command('keys').description("Gateway keys: people's credentials for their programs.");
  add(keys, 'create', 'Make a key; prints only the key.', flags => createKey(world, flags as CreateKeyFlags))
    .requiredOption('--user <address>', 'whose key: an email address or a user id')
    .option('--admin', 'the key carries admin rights, and its user becomes an admin')
    .option('--name <name>', 'what it is for')
    .option('--expires <duration>', 'such as 12h or 30d; default: never')
    .option('--upstream <id...>', 'only for these upstreams');
  add(keys, 'list', 'List keys.', flags => listKeys(world, flags))
    .option('--user <address>', 'of one user')
    .option('--json', 'as JSON');
  add(keys, 'revoke <id>', 'End a key.', (flags, id) => revokeKey(world, flags, id!));

  const accounts = program
    .command('accounts')
    .description('Local accounts: people who sign in with a password kept here.');
  add(accounts, 'invite <address>', 'Invite somebody; prints only the link.', (flags, email) =>
    inviteAccount(world, flags, email!),
  )
    .option('--admin', 'they become an admin')
    .option('--group <name...>', 'groups that they are in');
  add(accounts, 'reset <address>', 'Make a link to a new password; prints only the link.', (flags, email) =>
    resetAccount(world, flags, email!),
  );

  const secrets = program.command('secrets').description('What seals the stored tokens.');
  add(secrets, 'rotate', 'Seal everything anew under the newest key.', flags => rotateSecrets(world, flags));

  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    // Commander has printed its own message already.
    if (error instanceof CommanderError) return error.exitCode;
    world.err(
      error instanceof AppError
        ? `${error.message}\n`
        : `sallyport failed, by a fault of its own:\n${(error as Error).stack}\n`,
    );
    return 1;
  }
}
