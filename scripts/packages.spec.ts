import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MODEL, VALKEY } from './artifacts.mjs';
import { compare, HEAVY, type LockPackages } from './packages.mjs';
import { ROOT } from './root.mjs';

const wanted: LockPackages = {
  '': { version: '1.0.0' },
  'node_modules/node': { version: '24.0.0', integrity: 'a' },
  'node_modules/small': { version: '1.0.0', integrity: 'b' },
  'node_modules/mac': { version: '1.0.0', os: ['darwin'], optional: true },
  'node_modules/musl': { version: '1.0.0', libc: ['musl'], optional: true },
  'node_modules/not-windows': { version: '1.0.0', os: ['!win32'], optional: true },
};

describe('compare', () => {
  it('wants everything that fits this platform when nothing is there', () => {
    const { count, download } = compare(wanted, undefined);
    expect(count).toBe(3);
    expect(download).toBeGreaterThan(52_000_000);
  });

  it('wants nothing when all is there, nor what npm chose to leave out', () => {
    const { 'node_modules/not-windows': _, '': __, ...installed } = wanted;
    expect(compare(wanted, installed)).toEqual({ count: 0, download: 0 });
  });

  it('wants what changed', () => {
    const installed = { ...wanted, 'node_modules/small': { version: '0.9.0', integrity: 'b' } };
    expect(compare(wanted, installed).count).toBe(1);
  });
});

it('measures packages that the lock file has, and no more than 700 MB in all', () => {
  const lock = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: LockPackages;
  };
  for (const name of HEAVY.keys()) expect(Object.keys(lock.packages)).toContain(name);
  const { download } = compare(lock.packages, undefined);
  expect(download + MODEL.download + VALKEY.download).toBeLessThan(700_000_000);
});
