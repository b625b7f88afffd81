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
    credential: credentialOf(form, text),
    access: {
      everyone: text('access') === 'everyone',
      users: text('access') === 'some' ? listOf(text('users')) : [],
      groups: text('access') === 'some' ? listOf(text('groups')) : [],
    },
  };
}

function credentialOf(form: FormData, text: (name: string) => string): CredentialDraft {
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
        fallback: form.has('fallback') ? key : null,
      };
    default:
      return { use: 'none' };
  }
}
