import type { Consequences } from '../api/types.ts';

const SAID: Record<string, readonly [one: string, many: string]> = {
  sessions: ['session is signed out', 'sessions are signed out'],
  keys: ['gateway key stops working', 'gateway keys stop working'],
  grants: ['connected account is forgotten', 'connected accounts are forgotten'],
  invitations: ['open link that they gave stops working', 'open links that they gave stop working'],
  terminals: ['terminal is ended', 'terminals are ended'],
  tunnels: ['tunnel of theirs is disconnected', 'tunnels of theirs are disconnected'],
  users: ['person can no longer sign in this way', 'people can no longer sign in this way'],
  upstreams: ['upstream loses its credential', 'upstreams lose their credential'],
  shared_with: ['person or group loses it', 'people and groups lose it'],
  plain_names: ['plain name is free again', 'plain names are free again'],
  open_calls: ['call under way breaks off', 'calls under way break off'],
  keys_limited_to_it: [
    'gateway key is limited to it and becomes useless',
    'gateway keys are limited to it and become useless',
  ],
};

/** Counts and names as lines for people; what the gateway adds one day is still said, by its name. */
export function consequenceLines(found: Consequences): string[] {
  return Object.entries(found).flatMap(([name, value]) => {
    const count = Array.isArray(value) ? value.length : value;
    if (count === null || count === 0) return [];
    const [one, many] = SAID[name] ?? [name.replaceAll('_', ' '), name.replaceAll('_', ' ')];
    const names = Array.isArray(value) ? `: ${value.join(', ')}` : '';
    return [`${count} ${count === 1 ? one : many}${names}`];
  });
}
