import { describe, expect, it } from 'vitest';
import { countBy, looksUniform } from '../../../../test/support/chi-square.js';
import { seededRandom } from '../../../../test/support/seeded-random.js';
import { hashText } from './hash.js';
import { prefixAffinity } from './prefix-affinity.js';

interface Server {
  address: string;
  seed: number;
  inFlight: number;
}

function servers(count: number): Server[] {
  return Array.from({ length: count }, (_, at) => {
    const address = `10.0.0.${at + 1}:8001`;
    return { address, seed: hashText(address), inFlight: 0 };
  });
}

function keys(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `tenant-${at}/tools`);
}

/** Where each key goes while nothing is under way. */
function homes(candidates: readonly Server[], of: readonly string[]): string[] {
  const policy = prefixAffinity();
  return of.map((key) => candidates[policy(candidates, key)]?.address ?? 'nowhere');
}

describe('prefixAffinity', () => {
  it('sends a key to the same endpoint in every process and in any order of the list', () => {
    const four = servers(4);
    // As it was on the day when this was written: another order would empty every cache of a running fleet.
    expect(homes(four, ['a', 'b', 'tenant-1/tools', 'größer'])).toEqual([
      '10.0.0.3:8001',
      '10.0.0.4:8001',
      '10.0.0.4:8001',
      '10.0.0.4:8001',
    ]);
    expect(homes(four.toReversed(), keys(100))).toEqual(homes(four, keys(100)));
  });

  it.each([2, 3, 7, 16, 100])('spreads keys evenly over %i endpoints', (count) => {
    const all = servers(count);
    const counts = countBy(
      homes(all, keys(20_000)),
      all.map(({ address }) => address),
    );
    expect(counts).toHaveLength(count);
    expect(looksUniform(counts)).toBe(true);
  });

  it('spreads the second choices evenly, too', () => {
    const all = servers(5);
    const [lost] = all;
    const orphans = keys(20_000).filter((key) => homes(all, [key])[0] === lost?.address);
    const rest = all.slice(1);
    const counts = countBy(
      homes(rest, orphans),
      rest.map(({ address }) => address),
    );
    expect(looksUniform(counts)).toBe(true);
  });

  it('moves only the keys of an endpoint that goes, about one in n', () => {
    const all = servers(10);
    const before = homes(all, keys(10_000));
    const after = homes(all.toSpliced(3, 1), keys(10_000));
    const moved = before.filter((home, at) => home !== after[at]);
    expect(new Set(moved)).toEqual(new Set(['10.0.0.4:8001']));
    expect(looksUniform([moved.length, (before.length - moved.length) / 9])).toBe(true);
    expect(moved).toHaveLength(before.filter((home) => home === '10.0.0.4:8001').length);
  });

  it('moves keys only to an endpoint that comes', () => {
    const before = homes(servers(10), keys(10_000));
    const after = homes(servers(11), keys(10_000));
    const moved = after.filter((home, at) => home !== before[at]);
    expect(new Set(moved)).toEqual(new Set(['10.0.0.11:8001']));
    expect(looksUniform([moved.length, (before.length - moved.length) / 10])).toBe(true);
  });

  it.each([1, 1.25, 2])('lets no load above the bound, with factor %d', (loadFactor) => {
    const random = seededRandom(5);
    const policy = prefixAffinity({ loadFactor });
    const all = servers(7);
    let calls = 0;
    for (let step = 0; step < 5_000; step++) {
      const leaving = all[Math.floor(random() * all.length)];
      if (random() < 0.45 && leaving !== undefined && leaving.inFlight > 0) {
        leaving.inFlight--;
        calls--;
        continue;
      }
      // Few keys, so that some endpoints are wanted much more than others.
      const chosen = all[policy(all, `key ${Math.floor(random() * 3)}`)];
      if (chosen === undefined) throw new Error('nobody was chosen');
      chosen.inFlight++;
      calls++;
      expect(chosen.inFlight).toBeLessThanOrEqual(Math.ceil((loadFactor * calls) / all.length));
    }
    expect(calls).toBeGreaterThan(100);
  });

  it('overflows to the next of the key while its first is full, and comes back', () => {
    const policy = prefixAffinity();
    const all = servers(4);
    const home = policy(all, 'a');
    const first = all[home];
    if (first === undefined) throw new Error('nobody was chosen');
    first.inFlight = 5;
    const second = policy(all, 'a');
    expect(second).not.toBe(home);
    expect(all[second]?.address).toBe(
      homes(
        all.filter((server) => server !== first),
        ['a'],
      )[0],
    );
    first.inFlight = 0;
    expect(policy(all, 'a')).toBe(home);
  });

  it('sends calls without affinity where the fewest are under way', () => {
    const all = servers(3);
    for (const server of all) server.inFlight = server.address.startsWith('10.0.0.2') ? 1 : 2;
    expect(prefixAffinity()(all, undefined)).toBe(1);
  });

  it('refuses a bound below the average', () => {
    expect(() => prefixAffinity({ loadFactor: 0.9 })).toThrow(
      /^loadFactor: 0.9 is below the average; give 1/,
    );
  });
});
