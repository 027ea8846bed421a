import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HotObjects, type Releasable } from '#apiserver/cache/hot-objects.ts';

class Load implements Releasable {
  used = false;
  released = false;
  release(): void {
    this.released = true;
  }
}

describe('hot objects', () => {
  test('what is not used makes room, oldest first, until there is a tenth to spare', () => {
    const hot = new HotObjects(100, 20);
    const loads = Array.from({ length: 11 }, () => new Load());
    for (const load of loads) hot.add(load, 10);
    assert.deepEqual(
      loads.map(({ released }) => released),
      loads.map((_, index) => index < 2),
    );
    assert.equal(hot.weight, 90);
  });

  test('what has been used since it was looked at stays for another round', () => {
    const hot = new HotObjects(100, 20);
    const loads = Array.from({ length: 11 }, (_, index) => Object.assign(new Load(), { used: index === 0 }));
    for (const load of loads) hot.add(load, 10);
    assert.deepEqual([loads[0]?.released, loads[1]?.released, loads[2]?.released], [false, true, true]);
    assert.equal(loads[0]?.used, false);
  });

  test('what grows is weighed again, and the newest is never released for itself', () => {
    const hot = new HotObjects(100, 20);
    const [first, second] = [new Load(), new Load()];
    hot.add(first, 40);
    hot.add(second, 40);
    hot.grow(second, 100);
    assert.deepEqual([first.released, second.released, hot.weight], [true, false, 140]);
  });

  test('with age, what was not used in between goes, but for what may be kept', () => {
    const hot = new HotObjects(100, 20);
    const loads = Array.from({ length: 5 }, (_, index) => Object.assign(new Load(), { used: index === 0 }));
    for (const load of loads) hot.add(load, 10);
    hot.age();
    assert.deepEqual(
      loads.map(({ released }) => released),
      [false, true, true, true, false],
    );
    hot.age();
    assert.equal(hot.weight, 20);
  });
});
