import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ROOT } from './root.mjs';
import { setupLlm } from './triton-llm.mjs';
import type { Triton } from './triton-setup.mjs';

/** Does what is asked of pip without any package, and notes each time. */
const PYTHON = `#!/bin/sh
echo "$@" >> "$(dirname "$0")/asked"
while [ "$1" != --target ]; do shift; done
echo engine > "$2/engine.py"
`;

let home: string;
let repository: string;
let triton: Triton;

beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'triton-llm-'));
  repository = path.join(home, 'models');
  triton = { python: path.join(home, 'python3'), packages: path.join(home, 'packages') } as Triton;
  await mkdir(path.join(repository, 'hammer'), { recursive: true });
  await mkdir(triton.packages);
  await mkdir(path.join(home, 'cache'));
  await writeFile(triton.python, PYTHON, { mode: 0o755 });
  await writeFile(path.join(home, 'asked'), '');
  vi.stubEnv('HAMMERLINE_CACHE', path.join(home, 'cache'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(home, { recursive: true });
});

const require = (text: string): Promise<void> =>
  writeFile(path.join(repository, 'hammer/requirements.txt'), text);
const asked = async (): Promise<string[]> =>
  (await readFile(path.join(home, 'asked'), 'utf8')).split('\n').slice(0, -1);

it('fetches nothing for models that need nothing', async () => {
  expect(await setupLlm(triton, repository)).toEqual({});
  expect(await asked()).toEqual([]);
  expect(await readdir(triton.packages)).toEqual([]);
});

it('puts the packages that a model names into a folder of their own, once', async () => {
  await require('engine==1');
  const set = await setupLlm(triton, repository);
  expect(set).toEqual({
    HAMMERLINE_PACKAGES: expect.stringContaining(path.join(home, 'cache/triton-packages-')),
  });
  expect(await readdir(set['HAMMERLINE_PACKAGES'] ?? '')).toEqual(['engine.py']);
  expect(await asked()).toEqual([
    expect.stringContaining(`--requirement ${path.join(repository, 'hammer/requirements.txt')}`),
  ]);
  // What makes Triton's Python look there.
  const start = await readFile(path.join(triton.packages, 'hammerline-packages.pth'), 'utf8');
  expect(start).toContain('os.environ.get("HAMMERLINE_PACKAGES")');

  expect(await setupLlm(triton, repository)).toEqual(set);
  expect(await asked()).toHaveLength(1);
});

it('keeps the packages of another version apart', async () => {
  await require('engine==1');
  const first = await setupLlm(triton, repository);
  await require('engine==2');
  expect(await setupLlm(triton, repository)).not.toEqual(first);
});

it('has one folder for models that need the same', async () => {
  await require('engine==1');
  const set = await setupLlm(triton, repository);
  await cp(path.join(repository, 'hammer'), path.join(repository, 'other'), { recursive: true });
  expect(await setupLlm(triton, repository)).toEqual(set);
});

it('may run twice at once', async () => {
  await require('engine==1');
  const both = await Promise.all([setupLlm(triton, repository), setupLlm(triton, repository)]);
  expect(both[1]).toEqual(both[0]);
  expect(await readdir(path.join(home, 'cache'))).toHaveLength(1);
});

it("takes only the files that were meant for the CPU model's packages", async () => {
  const file = path.join(ROOT, 'triton/model_repository/cpu/hammer/requirements.txt');
  const text = (await readFile(file, 'utf8')).replaceAll('\\\n', '');
  const packages = text.split('\n').filter((line) => /^[a-z]/.test(line));
  expect(packages).toHaveLength(2);
  for (const line of packages) expect(line).toMatch(/==[\d.]+( +--hash=sha256:[\da-f]{64})+$/);
});
