import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export interface LockOptions {
  readonly signal: AbortSignal;
  /** Told once that another process has the lock, and which. */
  readonly onWait: (owner: string) => void;
}

const ASK_AGAIN_MS = 250;
const BEAT_MS = 5_000;
/** A lock on another machine, or of a process whose number was given away again, that did not beat for so long is left. */
const LEFT_MS = 60_000;

/**
 * Does some work while no other process does it, on this machine or on another one that shares the folder. A lock that a
 * killed process left is taken over: at once on the same machine, else when it has not beaten for a minute.
 */
export async function withLock<T>(
  file: string,
  { signal, onWait }: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  for (let told = false; !(await take(file));) {
    signal.throwIfAborted();
    const left = await leftBehind(file);
    if (left !== undefined) await takeAway(file, left);
    else {
      if (!told) onWait(await readFile(file, 'utf8').catch(() => 'another process'));
      told = true;
      await pause(ASK_AGAIN_MS, undefined, { signal });
    }
  }
  const beat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    await rm(file, { force: true });
  }
}

async function take(file: string): Promise<boolean> {
  try {
    const lock = await open(file, 'wx');
    await writeFile(lock, `process ${process.pid} on ${hostname()}`).finally(() => lock.close());
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** The inode of a lock that nobody holds. */
async function leftBehind(file: string): Promise<bigint | undefined> {
  try {
    const { ino, mtimeMs } = await stat(file, { bigint: true });
    const owner = await readFile(file, 'utf8');
    const [, pid, host] = /^process (\d+) on (.*)$/.exec(owner) ?? [];
    const isDead = host === hostname() && !isAlive(Number(pid));
    return isDead || Date.now() - Number(mtimeMs) > LEFT_MS ? ino : undefined;
  } catch {
    // It was released in between.
    return undefined;
  }
}

/** Two may find a lock left: the second must not take away the one that the first has put in its place. */
export async function takeAway(file: string, ino: bigint): Promise<void> {
  const aside = `${file}-${randomUUID()}`;
  try {
    await rename(file, aside);
  } catch {
    return;
  }
  const taken = await stat(aside, { bigint: true });
  if (taken.ino !== ino) await link(aside, file).catch(() => undefined);
  await rm(aside);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
