import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openState } from './state.mjs';

let folder: string;
beforeEach(async () => {
  folder = path.join(await mkdtemp(path.join(tmpdir(), 'state-')), '.hammerline');
});
afterEach(() => rm(path.dirname(folder), { recursive: true }));

it('makes one key, which only its owner can read, and the files of the sample', () => {
  const first = openState(folder);
  first.release();
  expect(first.apiKey).toMatch(/^hl_[\w-]{32}$/);
  expect(statSync(path.join(folder, 'api-key')).mode & 0o777).toBe(0o600);
  expect(readFileSync(path.join(first.files, 'sales.csv'), 'utf8')).toMatch(/^month,/);

  writeFileSync(path.join(first.files, 'report.md'), 'changed');
  const second = openState(folder);
  expect(second.apiKey).toBe(first.apiKey);
  expect(readFileSync(path.join(second.files, 'report.md'), 'utf8')).toBe('changed');
});

it('belongs to one start at a time', () => {
  const { release } = openState(folder);
  expect(() => openState(folder)).toThrow(
    `Hammerline already runs from this checkout (process ${process.pid}): stop it first`,
  );
  release();
  expect(existsSync(path.join(folder, 'launcher.lock'))).toBe(false);
});

it('is taken over from a start that died', () => {
  openState(folder).release();
  const lock = path.join(folder, 'launcher.lock');
  // This pid lives, but is not the process that was started then.
  writeFileSync(lock, `${process.pid} 1`);
  openState(folder).release();
  writeFileSync(lock, '');
  expect(() => openState(folder)).not.toThrow();
});
