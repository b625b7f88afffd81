import type { CredentialView } from '../../../api/types.ts';

/** Each credential rule in a sentence: what the upstream receives. */
export const CREDENTIAL_RULES = [
  {
    use: 'sign-in',
    name: "The person's own sign-in",
    sentence:
      'The upstream receives the token of the person who calls, from the provider they signed in with, always fresh.',
  },
  {
    use: 'key',
    name: 'One key for everyone',
    sentence: 'The upstream receives one static key, whoever calls. Nobody but the gateway ever sees it.',
  },
  {
    use: 'none',
    name: 'Nothing',
    sentence:
      'The upstream receives no credential. What the caller showed to the gateway is still taken off.',
  },
] as const;

const OTHERS: Record<string, string> = {
  connection: "the person's own account at the upstream, connected once",
  exchange: "the person's sign-in, exchanged for a token made for this upstream",
  'client-credentials': "the gateway's own account",
  assertion: 'a short-lived statement of who is calling, signed by the gateway',
};

/** The rule of an upstream in a few words, for lists. */
export function credentialInShort(credential: CredentialView): string {
  switch (credential.use) {
    case 'none':
      return 'nothing';
    case 'key':
      return `one key for everyone, in ${credential.header ?? 'authorization'}`;
    case 'sign-in': {
      const token = credential.token === 'id_token' ? 'ID token' : 'access token';
      const from = credential.provider ? ` from ${credential.provider}` : '';
      return `the person's own ${token}${from}${credential.has_key ? ', else a static key' : ''}`;
    }
    default:
      return OTHERS[credential.use] ?? credential.use;
  }
}
