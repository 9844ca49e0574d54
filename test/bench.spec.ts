import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { benches } from '../bench/benches.js';
import type { Row } from '../bench/harness.js';

function bench(...args: string[]) {
  return spawnSync('npm', ['run', '-s', 'bench', '--', ...args], { encoding: 'utf8' });
}

// `serving` starts a dozen servers.
const withinMs = 300_000;

it.each(benches.map(({ name }) => name))(
  'bench %s runs and gives sane figures',
  { timeout: withinMs },
  (name) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'hammerline-bench-'));
    const file = path.join(folder, 'rows.json');
    const { status, stderr } = bench(name, '--smoke', '--json', file);
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    const report = JSON.parse(readFileSync(file, 'utf8')) as { bench: string; rows: Row[] };
    rmSync(folder, { recursive: true });
    expect(report.bench).toBe(name);
    expect(report.rows.length).toBeGreaterThan(3);
    const odd = report.rows.filter(
      ({ value, ratio = 0 }) => !(value >= 0 && Number.isFinite(value) && Number.isFinite(ratio)),
    );
    expect(odd).toEqual([]);
  },
);

it('bench refuses an unknown name and says which there are', () => {
  const { status, stderr } = bench('speed');
  expect(status).toBe(2);
  for (const { name } of benches) expect(stderr).toContain(name);
});
