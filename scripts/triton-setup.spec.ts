import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Failure } from './failure.mjs';
import { setupTriton } from './triton-setup.mjs';

/** Does what set-up asks of Python and pip, without any package. */
const PYTHON = `#!/bin/sh
set -e
for last; do :; done
case "$1 $2" in
  -c*) echo '{"executable":"'"$0"'","version":"3.11","library":"'"$0"'","pip":true,"fits":true}' ;;
  '-m venv') mkdir "$last/bin" && ln -s "$0" "$last/bin/python3" ;;
  '-m pip')
    while [ "$1" != --target ]; do shift; done
    server="$2/pytriton/tritonserver"
    mkdir -p "$server/backends/python" "$server/bin" "$server/python_backend_stubs/3.11"
    echo stub > "$server/python_backend_stubs/3.11/triton_python_backend_stub"
    echo server > "$server/bin/tritonserver" ;;
esac
`;

describe('setupTriton', () => {
  let home: string;
  let cache: string;
  beforeEach(async () => {
    home = await mkdtemp(path.join(tmpdir(), 'triton-setup-'));
    cache = path.join(home, 'cache');
    await writeFile(path.join(home, 'python3'), PYTHON, { mode: 0o755 });
    vi.stubEnv('PATH', `${home}:${process.env['PATH']}`);
    vi.stubEnv('HAMMERLINE_CACHE', cache);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(home, { recursive: true });
  });

  const folder = async (): Promise<string> => {
    const names = await readdir(cache);
    expect(names).toEqual([expect.stringMatching(/^triton-/)]);
    return path.join(cache, names[0] ?? '');
  };

  it('may run twice at once: what the first has made is not taken from it', async () => {
    const setUp = async (): Promise<number> => {
      const { binary } = await setupTriton();
      expect(await readFile(binary, 'utf8')).toBe('server\n');
      return (await stat(binary)).ino;
    };
    const [first, second] = await Promise.all([setUp(), setUp()]);
    expect(second).toBe(first);
    await folder();
  });

  it.each([
    ['python3/cache', 'ENOTDIR'],
    ['python3', 'ENOTDIR'],
    ['/proc/hammerline/cache', 'ENOENT'],
  ])('refuses %s as its folder by name', async (place, code) => {
    const where = path.resolve(home, place);
    vi.stubEnv('HAMMERLINE_CACHE', where);
    await expect(setupTriton()).rejects.toThrow(
      new Failure(
        `cannot write to the cache folder ${where} (${code}): set HAMMERLINE_CACHE to a folder of yours`,
      ),
    );
  });

  it('replaces what was made for a Python that is gone', async () => {
    const { libraries } = await setupTriton();
    expect(libraries).toBe(home);
    const record = path.join(await folder(), 'python.json');
    const gone = { ...JSON.parse(await readFile(record, 'utf8')), library: '/gone/libpython' };
    await writeFile(record, JSON.stringify(gone));
    await mkdir(path.join(await folder(), 'old'));
    expect((await setupTriton()).libraries).toBe(home);
    expect(await readdir(await folder())).not.toContain('old');
  });
});
