import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inRanges, isForbiddenAddress, isLoopbackHost, isPrivateAddress } from './net.ts';

test('loopback is this machine and nothing that only looks like it', () => {
  for (const host of [
    'localhost',
    'LOCALHOST',
    'a.localhost',
    '127.0.0.1',
    '127.9.9.9',
    '::1',
    '[::1]',
    '::ffff:127.0.0.1',
  ])
    assert.ok(isLoopbackHost(host), host);
  for (const host of [
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '128.0.0.1',
    '0.0.0.0',
    '::',
    'notlocalhost',
    '',
  ])
    assert.ok(!isLoopbackHost(host), host);
});

test('everything but public unicast is private, also in IPv6 clothes', () => {
  for (const address of [
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '127.0.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '::1',
    '::',
    'fe80::1',
    'fc00::1',
    '::ffff:10.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::a00:1',
    '2002:a00:1::',
    'not an address',
  ]) {
    assert.ok(isPrivateAddress(address), address);
  }
  for (const address of ['1.1.1.1', '203.0.114.1', '2606:4700::1111', '[2606:4700::1111]', '::ffff:1.1.1.1'])
    assert.ok(!isPrivateAddress(address), address);
});

test('metadata services and addresses of no server are forbidden whatever is allowed', () => {
  for (const address of [
    '169.254.169.254',
    '::ffff:169.254.169.254',
    'fe80::1',
    '0.0.0.0',
    '224.0.0.1',
    'fd00:ec2::254',
    'x',
  ])
    assert.ok(isForbiddenAddress(address), address);
  for (const address of ['10.0.0.1', '127.0.0.1', 'fd00::1', '1.1.1.1'])
    assert.ok(!isForbiddenAddress(address), address);
});

test('ranges match addresses and networks of the same kind, mapped ones too', () => {
  assert.ok(inRanges('10.1.2.3', ['10.0.0.0/8']));
  assert.ok(inRanges('::ffff:10.1.2.3', ['10.0.0.0/8']));
  assert.ok(inRanges('10.1.2.3', ['192.0.2.1', '10.1.2.3']));
  assert.ok(inRanges('2001:db8::1', ['2001:db8::/32']));
  assert.ok(inRanges('2001:db8:0::1', ['2001:db8::1']));
  assert.ok(!inRanges('11.1.2.3', ['10.0.0.0/8', 'nonsense', 'nonsense/8', '::/0']));
  assert.ok(!inRanges('x', ['0.0.0.0/0']));
});
