import { z } from 'zod';
import type {
  CredentialRule,
  ShellRules,
  StaticKey,
  TerminalRules,
  ToolRule,
  ToolRules,
  Upstream,
} from '../terms/upstream.ts';

const word = z.string().max(200);
const words = z.array(word).max(1_000);
const place = { header: word.optional(), scheme: word.optional() };
const key = z.string().max(10_000).optional().describe('Left out, the stored one is kept');

const toolRule = { allow: words.optional(), deny: words.optional() };

/** An upstream as an admin writes it: the configuration file's terms, checked by its rules. */
export const upstreamDraft = z.strictObject({
  id: word,
  name: word,
  kind: word,
  url: z.string().max(2_000),
  models: words.default([]),
  credential: z.discriminatedUnion('use', [
    z.strictObject({ use: z.literal('none') }),
    z.strictObject({ use: z.literal('key'), key, ...place }),
    z.strictObject({
      use: z.literal('sign-in'),
      token: z.enum(['access_token', 'id_token']).optional(),
      strict: z.boolean().default(false),
      provider: word.nullable().default(null),
      release: z.boolean().default(false),
      fallback: z
        .strictObject({ key, ...place })
        .nullable()
        .default(null),
    }),
  ]),
  tools: z
    .strictObject({ ...toolRule, groups: z.record(word, z.strictObject(toolRule)).optional() })
    .optional(),
  recordArguments: z.boolean().optional(),
  attach: word.optional(),
  policy: word.optional(),
  reattach: word.optional(),
  orphanAfter: word.optional(),
  idle: word.optional(),
  lifetime: word.optional(),
  record: z.boolean().optional(),
  access: z.strictObject({
    everyone: z.boolean().default(false),
    users: words.default([]),
    groups: words.default([]),
  }),
});

export type UpstreamDraft = z.output<typeof upstreamDraft>;

type Place = Pick<StaticKey, 'header' | 'scheme'>;
type SignIn = Extract<CredentialRule, { use: 'sign-in' }>;

/** Only for `terminal`, as the configuration file has them. */
type TerminalKey = 'attach' | 'policy' | 'reattach' | 'orphanAfter' | 'idle' | 'lifetime' | 'record';

type OfTerminal = Partial<Pick<UpstreamDraft, TerminalKey>> & {
  /** Only of the configuration file: shells on the gateway's own machine. */
  readonly embedded?: true;
  readonly isolate?: ShellRules['isolate'];
};

/** An upstream without its key, complete: how it is stored, and what admins see of it. */
export type UpstreamDefinition = Pick<Upstream, 'id' | 'name' | 'kind' | 'models' | 'access'> & {
  readonly url: string;
  /** Only for `mcp`, as the configuration file has them. */
  readonly tools?: UpstreamDraft['tools'];
  readonly recordArguments?: boolean | undefined;
} & OfTerminal & {
    readonly credential:
      | { readonly use: 'none' }
      | ({ readonly use: 'key' } & Place)
      | (Omit<SignIn, 'fallback'> & { readonly fallback: Place | null });
  };

/** A draft, or a definition with its key, as the configuration file would have it. */
export function valuesOf(
  { credential, models, ...rest }: UpstreamDraft | UpstreamDefinition,
  secret: string | null,
): Record<string, unknown> {
  const placed = ({ header, scheme }: Partial<Place>) => ({
    ...(secret === null ? {} : { key: secret }),
    ...(header === undefined ? {} : { header }),
    ...(scheme === undefined ? {} : { scheme }),
  });
  const rule = (): Record<string, unknown> => {
    switch (credential.use) {
      case 'none':
        return { use: 'none' };
      case 'key':
        return { use: 'key', ...placed(credential) };
      case 'sign-in': {
        const { provider, fallback, token, strict, release } = credential;
        return {
          use: 'sign-in',
          strict,
          release,
          ...(token === undefined ? {} : { token }),
          ...(provider === null ? {} : { provider }),
          ...(fallback === null ? {} : { fallback: placed(fallback) }),
        };
      }
    }
  };
  // None is said by leaving them out, where a kind has no models.
  return { ...rest, ...(models.length > 0 || rest.kind === 'openai' ? { models } : {}), credential: rule() };
}

export const definitionOf = (upstream: Upstream): UpstreamDefinition => ({
  id: upstream.id,
  name: upstream.name,
  kind: upstream.kind,
  url: upstream.url.href.replace(/\/$/, ''),
  models: upstream.models,
  credential: ruleOf(upstream.credential),
  access: upstream.access,
  ...(upstream.mcp !== undefined && {
    tools: toolsOf(upstream.mcp.tools),
    recordArguments: upstream.mcp.recordArguments,
  }),
  ...(upstream.terminal !== undefined && terminalOf(upstream.terminal)),
});

function terminalOf(rules: TerminalRules): OfTerminal {
  const { attach, policy, record, embedded, shells } = rules;
  const ms = (duration: number) => `${duration}ms`;
  return {
    attach,
    ...(policy !== null && { policy }),
    reattach: ms(rules.reattach),
    orphanAfter: ms(rules.orphanAfter),
    idle: ms(rules.idle),
    lifetime: ms(rules.lifetime),
    record,
    ...(embedded && { embedded }),
    ...(shells !== undefined && { isolate: shells.isolate }),
  };
}

function toolsOf({ groups, ...own }: ToolRules): UpstreamDraft['tools'] {
  const rule = ({ allow, deny }: ToolRule) => ({
    ...(allow !== null && { allow: [...allow] }),
    deny: [...deny],
  });
  const ofGroups = groups.map(({ group, ...of }) => [group, rule(of)] as const);
  return { ...rule(own), ...(groups.length > 0 && { groups: Object.fromEntries(ofGroups) }) };
}

function ruleOf(rule: CredentialRule): UpstreamDefinition['credential'] {
  switch (rule.use) {
    case 'none':
      return { use: 'none' };
    case 'key':
      return { use: 'key', header: rule.header, scheme: rule.scheme };
    case 'sign-in': {
      const { fallback, ...rest } = rule;
      return { ...rest, fallback: fallback && { header: fallback.header, scheme: fallback.scheme } };
    }
  }
}

/** The one static key of a rule, where it has one. */
export function keyOf({ credential }: Pick<Upstream, 'credential'>): string | null {
  if (credential.use === 'key') return credential.key.reveal();
  return credential.use === 'sign-in' ? (credential.fallback?.key.reveal() ?? null) : null;
}

/** What a draft says of its key: a new one, `keep` the stored one, or null where its rule has none. */
export function keyIn({ credential }: UpstreamDraft): { readonly key: string } | 'keep' | null {
  const holder =
    credential.use === 'key' ? credential : credential.use === 'sign-in' ? credential.fallback : null;
  if (holder === null) return null;
  return holder.key === undefined ? 'keep' : { key: holder.key };
}
