import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/**
 * Makes a folder that has its name only when it is whole. Of several who make it at once, also in other processes, the
 * first wins, and what is already in use is never replaced.
 *
 * @param {string} folder in which nothing is, or a whole one
 * @param {(work: string) => Promise<void>} fill puts everything into a folder beside it
 */
export async function fillOnce(folder, fill) {
  const place = path.dirname(folder);
  await mkdir(place, { recursive: true });
  const work = await mkdtemp(path.join(place, 'fetch-'));
  try {
    await fill(work);
    await rename(work, folder);
  } catch (error) {
    if (!isTaken(error)) throw error;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** @param {unknown} error of a rename to a folder that has something in it */
function isTaken(error) {
  return (
    error instanceof Error &&
    'syscall' in error &&
    error.syscall === 'rename' &&
    'code' in error &&
    (error.code === 'ENOTEMPTY' || error.code === 'EEXIST')
  );
}
