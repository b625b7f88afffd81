import { z } from 'zod';
import type { ClaimRule, Provider } from '../terms/provider.ts';

const word = z.string().max(200);
const url = z.string().max(2_000);
const claimRule = z.strictObject({ claim: word, has: z.array(word).min(1).max(200) }).nullable();
const preset = z.enum(['google', 'microsoft', 'github']);

/** A provider as an admin writes it: the configuration file's terms, checked by its rules. */
export const providerDraft = z.strictObject({
  id: word,
  name: word,
  preset: preset.optional().describe('What is known of it: issuer, endpoints, usual scope'),
  tenant: word.optional().describe("Microsoft's directory id"),
  protocol: z.enum(['oidc', 'oauth2']).optional(),
  issuer: url.optional(),
  client_id: word,
  client_secret: z
    .string()
    .max(10_000)
    .nullable()
    .optional()
    .describe('Left out, the stored one is kept; null for a public client'),
  scope: z.string().max(2_000).optional(),
  response_mode: z.enum(['query', 'form_post']).default('query'),
  groups_claim: word.optional(),
  allow: claimRule.default(null).describe('Who may sign in; null: everyone whom the provider knows'),
  admins: claimRule.default(null).describe('Who is an admin; null leaves it to the gateway'),
  authorization_params: z.record(word, z.string().max(2_000)).optional(),
  endpoints: z.strictObject({ authorization: url, token: url, userinfo: url }).nullable().optional(),
});

export type ProviderDraft = z.output<typeof providerDraft>;

/** A provider without its client secret, complete: how it is stored, and what admins see of it. */
export interface ProviderDefinition {
  readonly id: string;
  readonly name: string;
  readonly protocol: Provider['protocol'];
  readonly issuer: string;
  readonly client_id: string;
  readonly scope: string;
  readonly response_mode: Provider['responseMode'];
  readonly groups_claim: string;
  readonly allow: ClaimRule | null;
  readonly admins: ClaimRule | null;
  readonly authorization_params: Provider['authorizationParams'];
  readonly endpoints: Provider['endpoints'];
}

/** A draft, or a definition with its secret, as the configuration file would have it. */
export function valuesOf(
  written: ProviderDraft | ProviderDefinition,
  secret: string | null,
): Record<string, unknown> {
  const draft: Partial<ProviderDraft> = 'preset' in written ? written : {};
  return known({
    id: written.id,
    name: written.name,
    preset: draft.preset,
    tenant: draft.tenant,
    protocol: written.protocol,
    issuer: written.issuer,
    clientId: written.client_id,
    clientSecret: secret,
    scope: written.scope,
    responseMode: written.response_mode,
    groupsClaim: written.groups_claim,
    allow: written.allow,
    admins: written.admins,
    authorizationParams: written.authorization_params,
    endpoints: written.endpoints,
  });
}

/** What is null or undefined is said by leaving it out. */
const known = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null));

export const definitionOf = (provider: Provider): ProviderDefinition => ({
  id: provider.id,
  name: provider.name,
  protocol: provider.protocol,
  issuer: provider.issuer,
  client_id: provider.clientId,
  scope: provider.scope,
  response_mode: provider.responseMode,
  groups_claim: provider.groupsClaim,
  allow: provider.allow,
  admins: provider.admins,
  authorization_params: provider.authorizationParams,
  endpoints: provider.endpoints,
});

/** What people's accounts and tokens hang on: another of these is another provider. */
export const sameServer = (
  one: Pick<ProviderDefinition, 'protocol' | 'issuer' | 'endpoints'>,
  other: Pick<ProviderDefinition, 'protocol' | 'issuer' | 'endpoints'>,
): boolean =>
  one.protocol === other.protocol &&
  one.issuer === other.issuer &&
  (['authorization', 'token', 'userinfo'] as const).every(
    endpoint => one.endpoints?.[endpoint] === other.endpoints?.[endpoint],
  );
