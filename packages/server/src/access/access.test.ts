import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Principal } from '../terms/principal.ts';
import type { AccessRule } from '../terms/upstream.ts';
import { may } from './access.ts';

const alice: Principal = {
  userId: 'usr_alice',
  email: 'alice@corp.example',
  name: 'Alice',
  groups: ['engineering'],
  admin: false,
  proof: 'session',
  credentialId: 'ses_1',
  grantId: null,
  scope: null,
};
const admin: Principal = { ...alice, userId: 'usr_root', email: null, groups: [], admin: true };
const anonymous: Principal = {
  ...alice,
  userId: 'anonymous',
  email: null,
  groups: [],
  proof: 'anonymous',
  credentialId: 'anonymous',
};

const llm = (access: Partial<AccessRule>) => ({
  id: 'llm',
  access: { everyone: false, users: [], groups: [], ...access },
});

test('an empty rule admits admins only', () => {
  assert.equal(may(alice, llm({})), false);
  assert.equal(may(anonymous, llm({})), false);
  assert.equal(may(admin, llm({})), true);
});

test('everyone admits whoever was let in, the confirmed anonymous principal too', () => {
  assert.equal(may(alice, llm({ everyone: true })), true);
  assert.equal(may(anonymous, llm({ everyone: true })), true);
});

test('a user is named by id or by email address, wholly', () => {
  assert.equal(may(alice, llm({ users: ['usr_alice'] })), true);
  assert.equal(may(alice, llm({ users: ['alice@corp.example'] })), true);
  assert.equal(may(alice, llm({ users: ['usr_alic', 'lice@corp.example', 'bob@corp.example'] })), false);
});

test('one group in common is enough, and a group is never read as a user', () => {
  assert.equal(may(alice, llm({ groups: ['sales', 'engineering'] })), true);
  assert.equal(may(alice, llm({ groups: ['sales'] })), false);
  assert.equal(may(alice, llm({ users: ['engineering'], groups: ['usr_alice'] })), false);
});

test('the anonymous principal is nobody: neither a user nor a group of that name admits it', () => {
  assert.equal(may(anonymous, llm({ users: ['anonymous'], groups: ['anonymous'] })), false);
  assert.equal(may({ ...anonymous, groups: ['anonymous'] }, llm({ groups: ['anonymous'] })), false);
});

test('a scope limits everyone, admins too, and an empty scope admits nowhere', () => {
  const open = llm({ everyone: true });
  assert.equal(may({ ...alice, scope: ['llm'] }, open), true);
  assert.equal(may({ ...alice, scope: ['other'] }, open), false);
  assert.equal(may({ ...admin, scope: ['other'] }, open), false);
  assert.equal(may({ ...admin, scope: [] }, open), false);
});

test('a scope adds nothing: an upstream it names still asks its own rule', () => {
  assert.equal(may({ ...alice, scope: ['llm'] }, llm({ groups: ['sales'] })), false);
});
