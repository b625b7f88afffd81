import type { CredentialDraft, UpstreamDraft, UpstreamKind, UpstreamRecord } from '../../../api/types.ts';
import { listOf } from '../../../design/field.tsx';

/** The form's fields as the API takes them. A key that is left empty is left out, which keeps the stored one. */
export function draftOf(form: FormData, before: UpstreamRecord | null): UpstreamDraft {
  const text = (name: string) => String(form.get(name) ?? '').trim();
  const kind = text('kind') as UpstreamKind;
  return {
    id: before?.id ?? text('id'),
    name: text('name'),
    kind,
    url: text('url'),
    models: kind === 'openai' ? listOf(text('models')) : [],
    credential: credentialOf(form, text, before),
    access: {
      everyone: text('access') === 'everyone',
      users: text('access') === 'some' ? listOf(text('users')) : [],
      groups: text('access') === 'some' ? groupsOf(text('groups')) : [],
    },
  };
}

/** A group's name may have spaces in it. */
const groupsOf = (text: string): string[] =>
  text
    .split(',')
    .map(group => group.trim())
    .filter(group => group !== '');

function credentialOf(
  form: FormData,
  text: (name: string) => string,
  before: UpstreamRecord | null,
): CredentialDraft {
  const key = text('key') === '' ? {} : { key: text('key') };
  switch (text('use')) {
    case 'key':
      return {
        use: 'key',
        ...key,
        header: text('header').toLowerCase() || 'authorization',
        scheme: text('scheme'),
      };
    case 'sign-in':
      return {
        use: 'sign-in',
        token: text('token') === 'id_token' ? 'id_token' : 'access_token',
        strict: form.has('strict'),
        provider: text('provider') || null,
        release: form.has('release'),
        fallback: form.has('fallback') ? { ...before?.credential.fallback, ...key } : null,
      };
    default:
      return { use: 'none' };
  }
}
