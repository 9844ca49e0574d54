import { describe, expect, it } from 'vitest';
import { RunFilter } from './run-control.js';

describe('RunFilter', () => {
  it.each([
    ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00.000Z'],
    ['2026-01-01T00:00:00+20:00', '2025-12-31T04:00:00.000Z'],
    ['2026-01-01T00:00:00.123456-23:59', '2026-01-01T23:59:00.123Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ])('takes %s for an instant that the ledger can take', (createdAfter, instant) => {
    expect(RunFilter.parse({ createdAfter })).toEqual({ createdAfter: instant });
  });

  it.each([
    { createdAfter: '0000-01-01T00:00:00Z' },
    { createdAfter: '0001-01-01T00:00:00+20:00' },
    { createdBefore: '9999-12-31T23:59:59-20:00' },
    { createdBefore: '2026-01-01T00:00:00' },
    { createdBefore: 'yesterday' },
    { toolset: 'a\0' },
    { toolset: '\ud800' },
  ])('refuses %j', (filter) => {
    expect(RunFilter.safeParse(filter).error?.issues).toHaveLength(1);
  });
});
