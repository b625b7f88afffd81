import type { Principal } from '../terms/principal.ts';
import type { ToolRule, ToolRules } from '../terms/upstream.ts';

/** Whether a principal may use a tool; null where all are theirs, which is what most upstreams say. */
export type MayCall = ((tool: string) => boolean) | null;

/**
 * The upstream's own rule holds for everybody. Of the groups that have one, those of the principal add up: what any of them denies is denied,
 * and what none of them allows as well. Admins are no exception: the rule says what the tools are for, not who is trusted.
 */
export function toolsOf({ groups }: Principal, rules: ToolRules | undefined): MayCall {
  if (rules === undefined) return null;
  const own = rules.groups.filter(({ group }) => groups.includes(group));
  if (rules.allow === null && rules.deny.length === 0 && own.length === 0) return null;
  return tool => {
    if (!admits(rules, tool)) return false;
    if (own.length === 0) return true;
    return own.some(rule => allows(rule, tool)) && !own.some(rule => denies(rule, tool));
  };
}

const admits = (rule: ToolRule, tool: string): boolean => allows(rule, tool) && !denies(rule, tool);
const allows = ({ allow }: ToolRule, tool: string): boolean =>
  allow === null || allow.some(glob => fits(glob, tool));
const denies = ({ deny }: ToolRule, tool: string): boolean => deny.some(glob => fits(glob, tool));

/** `*` stands for any run of characters. Linear: names come from clients. */
export function fits(glob: string, name: string): boolean {
  const [head = '', ...rest] = glob.split('*');
  if (rest.length === 0) return glob === name;
  const tail = rest.pop()!;
  if (!name.startsWith(head) || name.length < head.length + tail.length || !name.endsWith(tail)) return false;
  let at = head.length;
  const end = name.length - tail.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
