import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeAway, withLock } from './lock.js';

let folder = '';
let file = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'));
  file = join(folder, 'name.lock');
});
afterEach(() => rm(folder, { recursive: true }));

const options = { signal: new AbortController().signal, onWait: () => undefined };
/** The number of a process that has ended. */
const dead = () => spawnSync('true').pid;

/** How many of `count` are let in at once. */
async function mostAtOnce(count: number): Promise<number> {
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await readFile(file);
    inside -= 1;
  };
  await Promise.all(Array.from({ length: count }, () => withLock(file, options, work)));
  return most;
}

describe('withLock', () => {
  it('lets one in at a time', async () => {
    await expect(mostAtOnce(8)).resolves.toBe(1);
    expect(existsSync(file)).toBe(false);
  });

  it('takes over at once what a killed process left, whoever asks', async () => {
    await writeFile(file, `process ${dead()} on ${hostname()}`);
    await expect(mostAtOnce(4)).resolves.toBe(1);
  });

  it('takes over what has not beaten for a minute', async () => {
    await writeFile(file, 'process 1 on elsewhere');
    const past = new Date(Date.now() - 61_000);
    await utimes(file, past, past);
    await expect(withLock(file, options, () => Promise.resolve('in'))).resolves.toBe('in');
  });

  it('waits for a living one until it is stopped, and says for whom', async () => {
    await writeFile(file, 'process 1 on elsewhere');
    const stop = new AbortController();
    const waited: string[] = [];
    const onWait = (owner: string) => {
      waited.push(owner);
      stop.abort(new Error('stopped'));
    };
    const work = () => Promise.resolve();
    await expect(withLock(file, { signal: stop.signal, onWait }, work)).rejects.toThrow('aborted');
    expect(waited).toEqual(['process 1 on elsewhere']);
    expect(existsSync(file)).toBe(true);
  });

  it('does not take away what another has put in the place of a lock that was left', async () => {
    await writeFile(file, 'left');
    const { ino } = await stat(file, { bigint: true });
    await writeFile(`${file}-new`, 'new');
    await rename(`${file}-new`, file);
    await takeAway(file, ino);
    expect(await readFile(file, 'utf8')).toBe('new');
    await takeAway(file, (await stat(file, { bigint: true })).ino);
    expect(await readdir(folder)).toEqual([]);
  });
});
