import type {
  Access,
  CredentialDraft,
  UpstreamDraft,
  UpstreamKind,
  UpstreamRecord,
} from '../../../api/types.ts';
import { keptList, listOf } from '../../../design/field.tsx';
import { terminalRulesIn } from './terminal-rules-draft.ts';
import { toolsIn } from './tool-rules-draft.ts';

/**
 * The form's fields as the API takes them. A change replaces the whole upstream, so what the form has no field for goes back as it came,
 * while the kind stays. A key that is left empty is left out, which keeps the stored one.
 */
export function draftOf(form: FormData, before: UpstreamRecord | null): UpstreamDraft {
  const text = (name: string) => String(form.get(name) ?? '').trim();
  const kind = text('kind') as UpstreamKind;
  return {
    ...(before?.kind === kind ? withoutGatewaysOwn(before) : {}),
    id: before?.id ?? text('id'),
    name: text('name'),
    kind,
    url: text('url'),
    models: kind === 'openai' ? listOf(text('models')) : [],
    credential: credentialOf(form, text, before),
    access: accessOf(text, before?.access ?? { everyone: false, users: [], groups: [] }),
    ...(kind === 'mcp' && {
      tools: toolsIn(form, before?.tools ?? {}),
      recordArguments: form.has('record_arguments'),
    }),
    ...(kind === 'terminal' && terminalRulesIn(form)),
  };
}

/** What the gateway says of an upstream, and nobody may set, stays behind. */
function withoutGatewaysOwn({
  source,
  problem,
  ...rest
}: UpstreamRecord): Omit<UpstreamRecord, 'source' | 'problem'> {
  return rest;
}

function accessOf(text: (name: string) => string, before: Access): Access {
  switch (text('access')) {
    case 'everyone':
      return before.everyone ? before : { everyone: true, users: [], groups: [] };
    case 'some':
      return {
        everyone: false,
        users: keptList(text('users'), before.users, listOf),
        groups: keptList(text('groups'), before.groups),
      };
    default:
      return { everyone: false, users: [], groups: [] };
  }
}

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
    case 'none':
      return { use: 'none' };
    default: {
      // None is chosen: the rule is one that the form does not know.
      const { has_key, ...rule } = before!.credential;
      return rule as CredentialDraft;
    }
  }
}
