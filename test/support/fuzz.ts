/**
 * How many random cases a property is tried on: 1,000 in `npm test`, as many as `FUZZ_RUNS` says in a long run
 * (`npm run test:fuzz`).
 */
export function fuzzRuns(): number {
  const runs = Number(process.env.FUZZ_RUNS ?? 1_000);
  if (!Number.isInteger(runs) || runs < 1) throw new Error('FUZZ_RUNS must be a positive integer');
  return runs;
}
