import { statfs } from 'node:fs/promises';
import { HammerlineError } from '#libs/contracts';

/** Left over for everything else on the disk. */
const SPARE_BYTES = 100e6;

/** @throws HammerlineError `unavailable` where the disk of `folder` has no room for so many bytes more */
export async function requireSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (bytes + SPARE_BYTES <= free) return;
  const gigabytes = (count: number) => `${(count / 1e9).toFixed(1)} GB`;
  throw new HammerlineError(
    'unavailable',
    `${folder} has ${gigabytes(free)} free, and ${gigabytes(bytes)} more are needed: make room (\`hammerline models remove\`), ` +
      'or let HAMMERLINE_MODELS name a folder on another disk',
  );
}
