import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findPython, type Found } from './triton-python.mjs';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'pythons-'));
});
afterAll(() => rm(folder, { recursive: true }));

const fine: Found = {
  executable: '/opt/python',
  version: '3.12',
  library: '/opt/lib/libpython3.12.so.1.0',
  pip: true,
  fits: true,
};

/** A command that answers the probe as a Python of that kind would. */
async function install(command: string, difference: Partial<Found>) {
  const file = path.join(folder, command);
  await writeFile(file, `#!/bin/sh\necho '${JSON.stringify({ ...fine, ...difference })}'\n`);
  await chmod(file, 0o755);
}

const find = () => findPython({ PATH: folder });

it('says what is missing, of every Python there is', async () => {
  await expect(find()).rejects.toThrow(/^Triton needs a Python 3.8 to 3.13 .* none on the PATH/);
  await install('python3', { executable: '/a', version: '3.14' });
  await install('python3.12', { executable: '/b', pip: false });
  await install('python3.11', { executable: '/c', version: '3.11', library: null });
  await expect(find()).rejects.toThrow(
    '/a is another Python (3.14); /b has no pip; /c has no libpython3.11.so.1.0. Debian',
  );
});

it('takes the first that will do', async () => {
  await install('python3.10', { executable: '/d', version: '3.10' });
  expect((await find()).executable).toBe('/d');
  // Its stub brings its own libpython.
  await install('python3.13', { executable: '/e', version: '3.13', library: null });
  expect((await find()).executable).toBe('/e');
});
