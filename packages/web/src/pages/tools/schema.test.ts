import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json, JsonObject } from './mcp-client.ts';
import { completed, initialObject, shapeOf } from './schema.ts';

const kindOf = (schema: Json, root: Json = {}) => shapeOf(schema, root).kind;
const object = (properties: JsonObject, required: string[] = []): JsonObject => ({
  type: 'object',
  properties,
  required,
});

test('what a form can show has its field, and what it cannot is written as JSON', () => {
  assert.equal(kindOf({ type: 'string' }), 'text');
  assert.equal(kindOf({ anyOf: [{ type: 'integer' }, { type: 'null' }] }), 'number');
  assert.equal(kindOf({ type: ['boolean', 'null'] }), 'boolean');
  assert.equal(kindOf({ enum: ['a', 1, null] }), 'choice');
  assert.equal(kindOf({ oneOf: [{ const: 1, title: 'One' }, { const: 2 }] }), 'choice');
  assert.equal(kindOf({ type: 'array', items: { enum: ['a'] }, uniqueItems: true }), 'choices');
  assert.equal(kindOf({ type: 'array', items: { type: 'string' } }), 'list');
  assert.equal(kindOf({ properties: { a: true } }), 'object');
  for (const schema of [
    {},
    true,
    { type: 'array' },
    { type: 'object', additionalProperties: { type: 'string' } },
    { anyOf: [{ type: 'string' }, { type: 'number' }] },
    { type: ['string', 'number'] },
    { type: 'array', prefixItems: [{ type: 'string' }], items: { type: 'string' } },
  ] as Json[])
    assert.equal(kindOf(schema), 'json', JSON.stringify(schema));
});

test('references lead within the schema, and nowhere else, and not in circles', () => {
  const root: Json = { $defs: { 'a/b': { type: 'number' }, loop: { $ref: '#/$defs/loop' } } };
  assert.equal(kindOf({ $ref: '#/$defs/a~1b' }, root), 'number');
  for (const $ref of ['#/$defs/loop', '#/$defs/none', 'https://evil.example/schema', '#/__proto__/x', ''])
    assert.equal(kindOf({ $ref }, root), 'json', $ref);
  const self = object({ again: { $ref: '#' } });
  assert.equal(kindOf({ $ref: '#' }, self), 'object');
});

test('a schema that would fill the page is written as JSON', () => {
  const many = Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`p${n}`, { type: 'string' }]));
  assert.equal(kindOf(object(many)), 'json');
  assert.equal(kindOf({ enum: Array.from({ length: 501 }, (_, n) => n) }), 'json');
});

test('arguments start with their defaults, and have what must be there and needs nothing entered', () => {
  const schema = object(
    {
      to: { type: 'string', default: 'all' },
      sure: { type: 'boolean' },
      tags: { type: 'array', items: { type: 'string' } },
      only: { const: 'one' },
      maybe: { type: 'string', default: null },
      inner: object({ deep: { type: 'boolean' } }, ['deep']),
    },
    ['sure', 'tags', 'only', 'inner'],
  );
  const start = initialObject(schema, schema);
  assert.deepEqual(start, { to: 'all', only: 'one' });
  assert.deepEqual(completed(start, schema, schema), {
    to: 'all',
    only: 'one',
    sure: false,
    tags: [],
    inner: {},
  });
  assert.deepEqual(completed({ inner: {}, more: 1 }, schema, schema), {
    inner: { deep: false },
    more: 1,
    sure: false,
    tags: [],
  });
  const hostile = JSON.parse(
    '{"type":"object","properties":{"__proto__":{"type":"boolean"}},"required":["__proto__"]}',
  ) as Json;
  const entered = completed({}, hostile, hostile) as JsonObject;
  assert.deepEqual(Object.keys(entered), ['__proto__']);
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});
