import { AppError } from '../platform/errors.ts';
import { commandLine } from '../terms/audit.ts';
import { openGateway, type World } from './command.ts';
import type { Gateway } from './gateway.ts';

type Flags = Readonly<Record<string, unknown>>;

/** Prints the link of an invitation and nothing else: how an admin is let in when none can come in any more. */
export async function inviteAccount(
  world: World,
  flags: Flags & { admin?: boolean; group?: readonly string[] },
  email: string,
): Promise<void> {
  if (!/^[^\s@]+@[^\s@]+$/.test(email)) throw new AppError('bad_request', 'Name them by an email address.');
  await using gateway = await openGateway(world, flags);
  const wanted = {
    email: email.toLowerCase(),
    name: null,
    groups: flags.group ?? [],
    admin: flags.admin === true,
  };
  world.out(`${(await invitationsOf(gateway).invite(wanted, null, commandLine)).link}\n`);
}

/** Prints a link to a new password and nothing else. */
export async function resetAccount(world: World, flags: Flags, email: string): Promise<void> {
  await using gateway = await openGateway(world, flags);
  const invitations = invitationsOf(gateway);
  const user = (await gateway.identity.users.byEmail(email)).find(({ local }) => local);
  if (user === undefined) throw new AppError('not_found', `There is no local account of ${email}.`);
  world.out(`${(await invitations.passwordLink(user.id, null, commandLine)).link}\n`);
}

function invitationsOf(gateway: Gateway) {
  if (gateway.identity.invitations !== null) return gateway.identity.invitations;
  throw new AppError('conflict', 'Local accounts are off: set localAccounts: true.');
}
