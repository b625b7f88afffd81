import { AppError } from '../platform/errors.ts';
import type { User, UserStore } from './user-store.ts';

/**
 * The user an operator means on the command line: by id, or by email address. An address that nobody has makes the user
 * ahead of their first sign-in, which joins it when the provider vouches for the address.
 * @throws AppError `not_found` for an unknown id, `conflict` for an address that several users have,
 *   `bad_request` for what is neither
 */
export async function namedUser(
  users: Pick<UserStore, 'get' | 'byEmail' | 'create'>,
  named: string,
): Promise<User> {
  const byId = await users.get(named);
  if (byId !== null) return byId;
  if (named.startsWith('usr_')) throw new AppError('not_found', `There is no user ${named}.`);
  if (!/^[^\s@]+@[^\s@]+$/.test(named)) {
    throw new AppError('bad_request', 'Name the user by an id (usr_…) or an email address.');
  }
  const [user, ...others] = await users.byEmail(named);
  if (user === undefined) return users.create({ email: named, name: null });
  if (others.length === 0) return user;
  const ids = [user, ...others].map(each => each.id).join(', ');
  throw new AppError('conflict', `Several users have the address ${named}; name one by id: ${ids}.`);
}
