import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fc } from '../../test/fixtures/made-up.ts';
import { PassingMap, PassingSet } from './passing.ts';

test('it is as a Map is, however much has passed through it', () => {
  const act = fc.tuple(fc.constantFrom('set', 'delete', 'delete', 'clear'), fc.integer({ min: 0, max: 40 }));
  fc.assert(
    fc.property(fc.array(act, { maxLength: 400 }), fc.integer({ min: 990, max: 1_000 }), (acts, before) => {
      const [passing, map] = [new PassingMap<number, number>(), new Map<number, number>()];
      for (let n = 0; n < before; n++) passing.set(-1, n).delete(-1);
      acts.forEach(([what, key], n) => {
        if (what === 'set') map.set(key, n) && passing.set(key, n);
        else if (what === 'delete') assert.equal(passing.delete(key), map.delete(key));
        else if (n % 10 === 0) for (const one of [map, passing]) one.clear();
        assert.equal(passing.size, map.size);
        assert.equal(passing.get(key), map.get(key));
        assert.equal(passing.has(key), map.has(key));
      });
      assert.deepEqual([...passing.keys()], [...map.keys()]);
      assert.deepEqual([...passing.values()], [...map.values()]);
    }),
    { numRuns: 100 },
  );
});

test('what is taken out in a loop over it is not met, also where it begins anew meanwhile', () => {
  const set = new PassingSet<number>();
  for (let n = 0; n < 2_000; n++) set.add(n);
  let met = 0;
  for (const one of set) {
    met++;
    for (let n = one; n < 1_500; n++) set.delete(n);
  }
  assert.equal(met, 1 + 500);
});
