import type { ShellRules, Upstream } from '../terms/upstream.ts';
import { boolean, count, duration, matching, object, oneOf, size, strings } from './values.ts';

/** What is said of terminals on the gateway's own machine alone. */
export const shellFields = {
  isolate: oneOf('none', 'bubblewrap').optional(),
  network: boolean.optional(),
  account: matching(
    /^([a-z_][a-z0-9_-]{0,31}|\d{1,10}:\d{1,10})$/,
    "an account's name, or uid:gid",
  ).optional(),
  homes: matching(/^\//, 'the absolute path of a directory').optional(),
  shell: strings('the words of a command').optional(),
  limits: object(
    {
      perUser: count.optional(),
      total: count.optional(),
      idle: duration.optional(),
      processes: count.optional(),
      memory: size.optional(),
      cpu: duration.optional(),
    },
    'limits such as { perUser: 4, memory: 1GiB }',
  ).optional(),
};

type ShellValues = { -readonly [K in keyof ShellRules]?: ShellRules[K] | undefined };

export const composeShells = (values: ShellValues): ShellRules => ({
  isolate: values.isolate ?? 'none',
  network: values.network ?? false,
  account: values.account ?? null,
  homes: values.homes ?? null,
  shell: values.shell ?? null,
  limits: values.limits ?? {},
});

/** Names nothing that could be dialled (RFC 6761 section 6.4): the way there is within the process. */
export const urlOfShells = ({ id }: Pick<Upstream, 'id'>): URL => new URL(`http://${id}.shells.invalid`);
