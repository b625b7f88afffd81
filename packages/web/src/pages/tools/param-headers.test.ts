import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeHeader, paramHeaders } from './param-headers.ts';

test('arguments that a schema wants in headers go there, encoded where a header could not carry them', () => {
  const schema = {
    properties: {
      region: { type: 'string', 'x-mcp-header': 'Region' },
      inner: { properties: { n: { type: 'integer', 'x-mcp-header': 'N' } } },
      bad: { type: 'string', 'x-mcp-header': 'a b\r\nset-cookie' },
    },
  };
  assert.deepEqual(paramHeaders(schema, { region: 'Zürich', inner: { n: 7 }, bad: 'x' }), {
    'mcp-param-region': '=?base64?WsO8cmljaA==?=',
    'mcp-param-n': '7',
  });
  assert.deepEqual(paramHeaders(schema, {}), {});
  assert.equal(encodeHeader('=?base64?eA==?='), '=?base64?PT9iYXNlNjQ/ZUE9PT89?=');
  assert.equal(encodeHeader('a\r\nb'), '=?base64?YQ0KYg==?=');
});
