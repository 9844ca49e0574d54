import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, mkdir, open, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { HammerlineError } from '#libs/contracts';

export interface LockOptions {
  readonly signal: AbortSignal;
  /** Told once that another process has the lock, and which. */
  readonly onWait: (owner: string) => void;
}

const ASK_AGAIN_MS = 250;
const BEAT_MS = 5_000;
/** A lock on another machine that did not beat for so long is left. */
const LEFT_MS = 60_000;

/**
 * Does some work while no other process does it, on this machine or on another one that shares the folder. A lock that a
 * dead process of this machine left is taken over at once, one of another machine when it has not beaten for a minute.
 *
 * @param work its signal is aborted with `options.signal`, and when the lock was taken over all the same: by another
 * machine, while this one slept
 */
export async function withLock<T>(
  file: string,
  { signal, onWait }: LockOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const mine = [ownerText(process.pid), startOf(process.pid), randomUUID()].join('\n');
  for (let told = false; !(await take(file, mine));) {
    signal.throwIfAborted();
    const found = await readFile(file, 'utf8').catch(ifMissing);
    // It was released in between.
    if (found === undefined) continue;
    if (await isLeft(file, found)) {
      await takeAway(file, found);
      continue;
    }
    if (!told) onWait(found.split('\n')[0] || 'another process');
    told = true;
    await pause(ASK_AGAIN_MS, undefined, { signal });
  }
  const lost = new AbortController();
  const beat = setInterval(() => {
    keep(file, mine, lost).catch(() => undefined);
  }, BEAT_MS);
  try {
    return await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    clearInterval(beat);
    if (!lost.signal.aborted) await takeAway(file, mine);
  }
}

async function take(file: string, text: string): Promise<boolean> {
  try {
    const lock = await open(file, 'wx');
    await writeFile(lock, text).finally(() => lock.close());
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function keep(file: string, mine: string, lost: AbortController): Promise<void> {
  const found = await readFile(file, 'utf8');
  const now = new Date();
  if (found === mine) await utimes(file, now, now);
  else {
    const [owner] = found.split('\n');
    const fault = `${owner} has taken this over, as nothing was heard from here for a minute`;
    lost.abort(new HammerlineError('unavailable', `${fault}: the same command waits for it`));
  }
}

/** Whether nobody holds the lock any more. */
async function isLeft(file: string, found: string): Promise<boolean> {
  const [owner, start] = found.split('\n');
  const pid = Number(/^process (\d+) /.exec(owner ?? '')?.[1]);
  // One that is stopped or asleep holds it still.
  if (owner === ownerText(pid)) return startOf(pid) !== start;
  return stat(file).then(
    ({ mtimeMs }) => Date.now() - mtimeMs > LEFT_MS,
    () => false,
  );
}

/** Two may find a lock left: the second must not take away the one that the first has put in its place. */
export async function takeAway(file: string, text: string): Promise<void> {
  const aside = `${file}-${randomUUID()}`;
  try {
    await rename(file, aside);
  } catch {
    return;
  }
  if ((await readFile(aside, 'utf8')) !== text) await link(aside, file).catch(() => undefined);
  await rm(aside);
}

function ownerText(pid: number): string {
  return `process ${pid} on ${hostname()}`;
}

/** When a process began, in ticks since the machine did: its number may be given away again. Empty: there is none. */
function startOf(pid: number): string {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in brackets may hold anything. Behind it are the state, and as the 20th the start.
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    // A zombie waits only for its parent to look at it.
    return fields[0] === 'Z' ? '' : (fields[19] ?? '');
  } catch {
    return '';
  }
}

function ifMissing(error: unknown): undefined {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
}
