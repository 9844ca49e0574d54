import { describe, expect, it } from 'vitest';
import { fuzzRuns } from '../../../test/support/fuzz.js';
import { SABOTAGES } from '../../../test/support/simulation/sabotage.js';
import { simulate } from '../../../test/support/simulation/simulate.js';

/** A simulation is some hundred commits: one for each so many random cases of other tests. */
const SEEDS = Math.ceil(fuzzRuns() / 5);
/** Each sabotage shows within so many. */
const SOON = 300;

/** @returns the first of the seeds that goes wrong, and how */
async function findViolation(
  seeds: Iterable<number>,
  sabotage?: (typeof SABOTAGES)[string],
): Promise<string | undefined> {
  for (const seed of seeds) {
    const violations = await simulate(seed, sabotage);
    if (violations.length > 0) return [`seed ${seed}:`, ...violations].join('\n');
  }
  return undefined;
}

function* upTo(last: number): Iterable<number> {
  for (let seed = 1; seed <= last; seed += 1) yield seed;
}

describe('a fleet whose processes, ledger and queue fail', () => {
  it(`keeps every promise (${SEEDS} seeds; FUZZ_RUNS asks for more)`, async () => {
    expect(await findViolation(upTo(SEEDS))).toBeUndefined();
  }, 3_600_000);
});

describe('the simulation notices', () => {
  it.each(Object.entries(SABOTAGES))('%s', { timeout: 60_000 }, async (_, sabotage) => {
    expect(await findViolation(upTo(SOON), sabotage)).toBeDefined();
  });
});
