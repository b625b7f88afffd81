import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../../../test/fixtures/made-up.ts';
import { joinedName, joinedUri, partsOf, partsOfUri, prefixOf } from './names.ts';

/** As upstreams and tunnels may be called. */
const part = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,7}$/);
const id = fc.array(part, { minLength: 1, maxLength: 3 }).map(parts => parts.join('/'));

test('a name says which upstream it belongs to, and what it is called there', () => {
  assert.equal(joinedName('files', 'read'), 'files__read');
  assert.equal(joinedName('my_files', 'read'), 'my_files__read');
  assert.equal(joinedName('alice/files', 'read'), 'alice_-files__read');
  assert.equal(joinedName('docs.corp', '_x__y'), 'docs-_2ecorp___x__y');
  fc.assert(
    fc.property(id, fc.string({ maxLength: 30 }), (upstream, name) => {
      const parts = partsOf(joinedName(upstream, name));
      assert.equal(parts?.prefix, prefixOf(upstream));
      if (!parts.shortened) assert.equal(parts.name, name);
    }),
  );
});

test('no two upstreams begin their names alike', () => {
  fc.assert(
    fc.property(id, id, (one, other) => one === other || prefixOf(one) !== prefixOf(other)),
    {
      examples: [
        ['a/b', 'a_-b'],
        ['a.b', 'a-_2eb'],
        ['a_', 'a'],
        ['a-_b', 'a-/b'],
        ['a__b', 'a_b'],
      ],
      numRuns: 2_000,
    },
  );
});

test('a prefix is made of what models take in the name of a tool, and never holds what divides', () => {
  fc.assert(
    fc.property(id, upstream => {
      const prefix = prefixOf(upstream);
      assert.match(prefix, /^[A-Za-z0-9_-]{1,30}$/);
      assert.ok(!`${prefix}_`.includes('__') || prefix.length === 30, prefix);
      assert.ok(!prefix.includes('__'));
    }),
  );
});

test('a name that would be too long is shortened, the same way every time, and stays its own', () => {
  const long = 'list_all_the_directories_of_the_whole_wide_world_with_their';
  const one = joinedName('alice/files', `${long}_sizes`);
  const other = joinedName('alice/files', `${long}_dates`);
  assert.equal(one.length, 64);
  assert.equal(one, joinedName('alice/files', `${long}_sizes`));
  assert.notEqual(one, other);
  assert.equal(partsOf(one)?.shortened, true);
  assert.equal(partsOf(one)?.prefix, 'alice_-files');
});

test("a resource's URI stands whole in its joined one, as does a template", () => {
  for (const uri of ['file:///a/../b.txt', 'note://one?x=1#y', 'test://{id}/data', 'urn:a b'])
    assert.deepEqual(partsOfUri(joinedUri('alice/files', uri)), { prefix: 'alice_-files', uri });
  assert.equal(new URL(joinedUri('a', 'file:///x/../y')).href, 'sallyport:a/file:///x/../y');
  for (const none of ['file:///a', 'sallyport:', 'sallyport:a', 'sallyport:ä/x'])
    assert.equal(partsOfUri(none), null);
});
