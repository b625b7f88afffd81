import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { AUDIT_ACTIONS } from '../src/terms/audit.ts';

const textOf = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

test('docs/observability.md explains every action of the audit, and no other', () => {
  const [, table] = textOf('docs/observability.md').split('| action | target | detail |');
  const rows = table!.split('\n\n')[0]!.split('\n').slice(2);
  const documented = rows.flatMap(row =>
    [...row.split('|')[1]!.matchAll(/`([^`]+)`/g)].map(match => match[1]!),
  );
  assert.deepEqual(documented.sort(), [...AUDIT_ACTIONS].sort());
});

test("the console's filter offers every action of the audit, and no other", () => {
  const [, list] = textOf('packages/web/src/pages/admin/audit/audit-filter.tsx').split('const ACTIONS = [');
  const offered = [...list!.matchAll(/'([^']+)'/g)].map(match => match[1]!);
  assert.deepEqual(
    offered.filter(action => !action.endsWith('.*')),
    [...AUDIT_ACTIONS].sort(),
  );
  for (const group of offered.filter(action => action.endsWith('.*')))
    assert.ok(
      AUDIT_ACTIONS.some(action => action.startsWith(group.slice(0, -1))),
      group,
    );
});
