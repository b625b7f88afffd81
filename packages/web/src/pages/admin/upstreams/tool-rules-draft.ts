import type { ToolRule, ToolRules } from '../../../api/types.ts';
import { keptList } from '../../../design/field.tsx';

/** How the fields of one rule are called: `tools` for everybody's, `tools-0`, `tools-1`… for groups'. */
export const fieldOf = (rule: string, field: 'group' | 'which' | 'allow' | 'deny') => `${rule}.${field}`;

/** The rules that stand in the form. @param before as they were: what was not touched stays as it was written */
export function toolsIn(form: FormData, before: ToolRules): ToolRules {
  const groups = [...form.keys()].flatMap(name => {
    const rule = /^(tools-\d+)\.group$/.exec(name)?.[1];
    const group = String(form.get(name)).trim();
    if (rule === undefined || group === '') return [];
    return [[group, ruleIn(form, rule, before.groups?.[group])] as const];
  });
  return {
    ...ruleIn(form, 'tools', before),
    ...(groups.length > 0 && { groups: Object.fromEntries(groups) }),
  };
}

function ruleIn(form: FormData, rule: string, before: ToolRule | undefined): ToolRule {
  const names = (field: 'allow' | 'deny') =>
    keptList(String(form.get(fieldOf(rule, field)) ?? '').trim(), before?.[field] ?? []);
  return {
    ...(form.get(fieldOf(rule, 'which')) === 'some' && { allow: names('allow') }),
    deny: names('deny'),
  };
}
