import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Principal } from '../terms/principal.ts';
import type { ToolRules } from '../terms/upstream.ts';
import { fits, toolsOf } from './tool-rules.ts';

const member = (...groups: string[]) => ({ groups }) as unknown as Principal;
const rules = (more: Partial<ToolRules>): ToolRules => ({ allow: null, deny: [], groups: [], ...more });
const seen = (who: Principal, of: ToolRules, ...tools: string[]) => {
  const may = toolsOf(who, of);
  return may === null ? 'all' : tools.filter(may).join(' ');
};

test('a glob fits as a whole', () => {
  assert.ok(fits('search_*', 'search_wiki') && fits('*_wiki', 'search_wiki') && fits('s*h*i', 'search_wiki'));
  assert.ok(fits('*', '') && fits('read', 'read'));
  assert.ok(!fits('read', 'reads') && !fits('aba*ba', 'aba') && !fits('a*b*c', 'acb') && !fits('', 'x'));
  assert.ok(!fits(`${'*a'.repeat(50)}b`, 'a'.repeat(50_000)), 'and in linear time');
});

test('deny wins over allow, and a rule that says nothing allows everything', () => {
  assert.equal(seen(member(), rules({})), 'all');
  assert.equal(seen(member(), rules({ allow: ['a*'], deny: ['ab'] }), 'a', 'ab', 'b'), 'a');
  assert.equal(seen(member(), rules({ deny: ['b'] }), 'a', 'b'), 'a');
});

test("groups' rules add up for who is in several, and do not concern who is in none", () => {
  const of = rules({
    deny: ['drop'],
    groups: [
      { group: 'interns', allow: ['search'], deny: [] },
      { group: 'writers', allow: ['write', 'drop'], deny: [] },
      { group: 'probation', allow: null, deny: ['write'] },
    ],
  });
  const tools = ['search', 'write', 'drop', 'other'] as const;
  assert.equal(seen(member('interns'), of, ...tools), 'search');
  assert.equal(
    seen(member('interns', 'writers'), of, ...tools),
    'search write',
    'what the upstream denies stays denied',
  );
  assert.equal(seen(member('writers', 'probation'), of, ...tools), 'search other');
  assert.equal(seen(member('elsewhere'), of, ...tools), 'search write other');
});
