import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
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
    await writeFile(file, `process ${dead()} on ${hostname()}\n1\nx`);
    await expect(mostAtOnce(4)).resolves.toBe(1);
  });

  it('takes over at once where the number belongs to another process by now', async () => {
    await writeFile(file, `process ${process.pid} on ${hostname()}\n1\nx`);
    await expect(mostAtOnce(4)).resolves.toBe(1);
    // Each that is let in is waited for by the others, who look now and then.
  }, 30_000);

  it('never takes from a living process of this machine, however long it was stopped', async () => {
    const stop = new AbortController();
    const robbed = () => Promise.resolve('robbed');
    await withLock(file, options, async () => {
      const past = new Date(Date.now() - 3_600_000);
      await utimes(file, past, past);
      const onWait = () => stop.abort();
      await expect(withLock(file, { signal: stop.signal, onWait }, robbed)).rejects.toThrow(
        'aborted',
      );
    });
    expect(stop.signal.aborted).toBe(true);
  });

  it('stops when another has it, and leaves it to that one', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const work = withLock(file, options, async (signal) => {
      await writeFile(file, 'process 1 on elsewhere');
      await vi.advanceTimersByTimeAsync(5_000);
      if (!signal.aborted) await once(signal, 'abort');
      signal.throwIfAborted();
    });
    await expect(work).rejects.toThrow('process 1 on elsewhere has taken this over');
    expect(await readFile(file, 'utf8')).toBe('process 1 on elsewhere');
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
    await writeFile(file, 'new');
    await takeAway(file, 'left');
    expect(await readFile(file, 'utf8')).toBe('new');
    await takeAway(file, 'new');
    expect(await readdir(folder)).toEqual([]);
  });
});
