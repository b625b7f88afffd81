import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAddressOf, lastHop, networkOf } from './client-address.ts';

const from = (remoteAddress: string | undefined, forwarded?: string) => ({
  remoteAddress,
  headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
});

test('without a trusted proxy the header is nobody’s word', () => {
  const addressOf = createAddressOf([]);
  assert.equal(addressOf(from('198.51.100.7', '203.0.113.1')), '198.51.100.7');
  assert.equal(addressOf(from(undefined, '203.0.113.1')), 'unknown');
});

test('behind trusted proxies it is the last hop that is none of them, whatever the client wrote before it', () => {
  const addressOf = createAddressOf(['10.0.0.0/8', '::1']);
  for (const [remote, forwarded, expected] of [
    ['10.0.0.1', '203.0.113.1', '203.0.113.1'],
    ['10.0.0.1', '1.1.1.1, 203.0.113.1', '203.0.113.1'],
    ['10.0.0.1', '1.1.1.1,203.0.113.1 , 10.9.9.9', '203.0.113.1'],
    ['::ffff:10.0.0.1', '203.0.113.1', '203.0.113.1'],
    ['::1', '[2001:db8::7]:4711', '2001:db8::7'],
    ['10.0.0.1', '203.0.113.1:4711', '203.0.113.1'],
    ['198.51.100.7', '203.0.113.1', '198.51.100.7'],
    ['10.0.0.1', undefined, '10.0.0.1'],
    ['10.0.0.1', '', '10.0.0.1'],
    ['10.0.0.1', '203.0.113.1, unknown', '10.0.0.1'],
    ['10.0.0.1', '203.0.113.1, <script>', '10.0.0.1'],
    ['10.0.0.1', '10.1.1.1, 10.2.2.2', '10.1.1.1'],
  ] as const)
    assert.equal(addressOf(from(remote, forwarded)), expected, `${remote} ${forwarded}`);
});

test('a network is what one customer has: an IPv4 address, or the /64 of an IPv6 one', () => {
  assert.equal(networkOf('203.0.113.1'), '203.0.113.1');
  assert.equal(networkOf('::ffff:203.0.113.1'), '203.0.113.1');
  assert.equal(networkOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  assert.equal(networkOf('2001:db8:1:2::1'), networkOf('2001:0db8:1:2:ffff::'));
  assert.notEqual(networkOf('2001:db8:1:3::1'), networkOf('2001:db8:1:2::1'));
  assert.equal(networkOf('unknown'), 'unknown');
});

test('behind a proxy that has proved itself it is whom that one saw, and its own address where it does not say', () => {
  const at = (forwarded?: string) =>
    lastHop({
      headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
      remoteAddress: '10.0.0.1',
    });
  assert.equal(at('203.0.113.9, 2001:db8::1'), '2001:db8::1');
  for (const said of [undefined, '', 'unknown', '203.0.113.9, ', '203.0.113.9, _hidden'])
    assert.equal(at(said), '10.0.0.1', String(said));
});
