import { expect, it } from 'vitest';
import { countTests, total } from './test.mjs';

const report = (numPassedTests: number, numFailedTests: number, ...empty: string[]) => ({
  numPassedTests,
  numFailedTests,
  testResults: empty.map((status) => ({ status, assertionResults: [] })),
});

it('counts tests, files that could not run, and errors outside of tests', () => {
  expect(countTests(report(5, 0), 0)).toEqual({ passed: 5, failed: 0 });
  expect(countTests(report(5, 2), 1)).toEqual({ passed: 5, failed: 2 });
  expect(countTests(report(5, 0, 'failed', 'passed'), 1)).toEqual({ passed: 5, failed: 1 });
  expect(countTests(report(5, 0), 1)).toEqual({ passed: 5, failed: 1 });
  expect(countTests(undefined, 0)).toEqual({ passed: 0, failed: 1 });
});

it('sums up', () => {
  expect(total([report(1, 2), report(3, 4)].map((each) => countTests(each, 1)))).toEqual({
    passed: 4,
    failed: 6,
  });
});
