import { z } from 'zod';
import type { ToolRule, ToolRules } from '../terms/upstream.ts';

const globs = z.array(z.string().min(1).max(200)).max(200);
const rule = { allow: globs.optional(), deny: globs.optional() };

/** Which tools may be called, in the words of an upstream's `tools`. */
export const tunnelTools = z.strictObject({
  ...rule,
  groups: z.record(z.string().min(1).max(200), z.strictObject(rule)).optional(),
});

export type TunnelTools = z.output<typeof tunnelTools>;

export function toolRulesOf({ groups = {}, ...own }: TunnelTools): ToolRules {
  const ruleOf = ({ allow, deny }: Omit<TunnelTools, 'groups'>): ToolRule => ({
    allow: allow ?? null,
    deny: deny ?? [],
  });
  return {
    ...ruleOf(own),
    groups: Object.entries(groups).map(([group, of]) => ({ group, ...ruleOf(of) })),
  };
}
