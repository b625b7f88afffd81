import type { ClaimRule, Preset, ProviderDraft, ProviderRecord } from '../../../api/types.ts';

/** What the form's first question is about: a provider we know, or any. */
export type ProviderKind = 'oidc' | Preset;

/** The form's fields as the API takes them; of a provider that is there, what the form does not show stays. */
export function draftOf(form: FormData, before: ProviderRecord | null): ProviderDraft {
  const text = (name: string) => String(form.get(name) ?? '').trim();
  const secret = text('client_secret');
  return {
    id: before?.id ?? text('id'),
    name: text('name'),
    ...(before === null ? serverOf(text) : serverBefore(before)),
    client_id: text('client_id'),
    ...(secret === '' ? {} : { client_secret: secret }),
    ...(text('scope') === '' ? {} : { scope: text('scope') }),
    response_mode: text('response_mode') === 'form_post' ? 'form_post' : 'query',
    ...(text('groups_claim') === '' ? {} : { groups_claim: text('groups_claim') }),
    allow: ruleOf(text, 'allow'),
    admins: ruleOf(text, 'admins'),
  };
}

function serverOf(text: (name: string) => string): Partial<ProviderDraft> {
  const kind = text('kind') as ProviderKind;
  if (kind === 'oidc') return { protocol: 'oidc', issuer: text('issuer') };
  return { preset: kind, ...(kind === 'microsoft' ? { tenant: text('tenant') } : {}) };
}

const serverBefore = ({ protocol, issuer, endpoints, authorization_params }: ProviderRecord) => ({
  protocol,
  issuer,
  endpoints,
  authorization_params,
});

/** Of `allow` or `admins`: a claim and its values, separated by commas. */
function ruleOf(text: (name: string) => string, name: string): ClaimRule | null {
  if (text(name) !== 'claim') return null;
  const has = text(`${name}_has`)
    .split(',')
    .map(value => value.trim())
    .filter(value => value !== '');
  return { claim: text(`${name}_claim`), has };
}
