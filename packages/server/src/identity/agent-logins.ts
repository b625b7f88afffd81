import { newToken, sha256 } from '../platform/crypto.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { AgentLogin, AgentLoginStore } from './agent-login-store.ts';
import type { Keys } from './keys.ts';

/** RFC 8628 section 3.2: what a person needs to find the page and enter the code, milliseconds. */
const LIFETIME = 10 * 60_000;
/** How often an agent may ask, milliseconds. */
const INTERVAL = 5_000;
/** RFC 8628 section 6.1: no vowels, so that no words come about, and nothing that looks like another. */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';
const CODE_LENGTH = 8;

/** RFC 8628 section 3.5. */
export type PollError = 'authorization_pending' | 'slow_down' | 'access_denied' | 'expired_token';

export interface AgentLogins {
  begin(
    name: string,
    address: string,
  ): Promise<{ deviceCode: string; userCode: string; expiresIn: number; interval: number }>;
  /** Null: no such code waits. @param userCode as a person writes it */
  find(userCode: string): Promise<AgentLogin | null>;
  /** @returns whether one waited */
  answer(userCode: string, userId: string, approve: boolean): Promise<boolean>;
  /** The key, once; or why not yet, or never. */
  poll(deviceCode: string, address: string): Promise<{ key: string } | { error: PollError }>;
  purge(): Promise<void>;
}

/** Logins of agents, after the manner of RFC 8628: the agent shows a code, its person enters it where they are signed in, and the agent gets a key. */
export function createAgentLogins(deps: {
  store: AgentLoginStore;
  keys: Pick<Keys, 'create'>;
  runtime: Pick<Runtime, 'random'>;
}): AgentLogins {
  const { store, keys, runtime } = deps;
  const hashOf = (userCode: string) => sha256(userCode.toUpperCase().replaceAll(/[^A-Z]/g, ''));

  return {
    async begin(name, address) {
      const deviceCode = newToken(runtime);
      const letters = [...runtime.random(2 * CODE_LENGTH * 4)].filter(byte => byte < 240);
      const code = letters.slice(0, CODE_LENGTH).map(byte => LETTERS[byte % LETTERS.length]!);
      const userCode = `${code.slice(0, 4).join('')}-${code.slice(4).join('')}`;
      await store.insert({
        deviceHash: sha256(deviceCode),
        userCodeHash: hashOf(userCode),
        name,
        address,
        lifetime: LIFETIME,
      });
      return { deviceCode, userCode, expiresIn: LIFETIME / 1_000, interval: INTERVAL / 1_000 };
    },

    find: userCode => store.waiting(hashOf(userCode)),
    answer: (userCode, userId, approve) => store.answer(hashOf(userCode), userId, approve),
    purge: store.purge,

    async poll(deviceCode, address) {
      const hash = sha256(deviceCode);
      const login = await store.poll(hash);
      if (login === null) return { error: 'expired_token' };
      if (login.state === 'denied') return { error: 'access_denied' };
      if (login.sincePolled !== null && login.sincePolled < INTERVAL - 1_000) return { error: 'slow_down' };
      if (login.state !== 'approved') return { error: 'authorization_pending' };
      const taken = await store.take(hash);
      if (taken === null) return { error: 'expired_token' };
      const { userId, name } = taken;
      // It brings tunnels and opens nothing else: that is all an agent needs.
      const wanted = { userId, name, admin: false, scope: ['tunnel:*'], expiresAt: null };
      const { key } = await keys.create(wanted, { userId, credentialId: 'agent-login', address });
      return { key };
    },
  };
}
