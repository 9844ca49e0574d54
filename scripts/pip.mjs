import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { Failure } from './failure.mjs';
import { run } from './process.mjs';
import { megabytes } from './terminal.mjs';

/**
 * Runs pip, which knows the user's index and proxies, for wheels only: nothing is built, nothing runs.
 *
 * @param {object} options
 * @param {string} options.label what is fetched, for the message of a failure
 * @param {string} [options.python]
 * @param {string[]} options.args
 * @param {string} options.folder what it fills, its temporary files too
 * @param {number} options.bytes about how much it puts there
 * @param {(text: string) => void} options.note how far it is
 * @param {AbortSignal | undefined} [options.signal]
 */
export async function runPip({ label, python = 'python3', args, folder, bytes, note, signal }) {
  const [command = '', ...rest] = args;
  // pip has no progress that every version of it writes to a pipe.
  const timer = setInterval(() => {
    note(`${megabytes(folderSize(folder))} of ${megabytes(bytes)}`);
  }, 500);
  try {
    const { code, tail } = await run(
      python,
      [
        ['-m', 'pip', command, '--no-deps', '--only-binary=:all:', '--no-cache-dir'],
        ['--disable-pip-version-check', '--quiet', ...rest],
      ].flat(),
      // PIP_USER, where it is set, forbids a target of our own.
      { env: { ...process.env, TMPDIR: folder, PIP_USER: '0' }, signal },
    );
    if (code !== 0) throw new Failure(`cannot fetch the ${label}: ${complaint(tail)}`);
  } finally {
    clearInterval(timer);
  }
}

/** @param {import('./process.mjs').Line[]} tail */
function complaint(tail) {
  if (tail.some(({ text }) => /connection|resolution|timed out/i.test(text))) {
    return 'pip cannot reach its package index';
  }
  const why = tail.findLast(({ text }) => /error/i.test(text)) ?? tail.at(-1);
  return why?.text.trim() ?? 'pip failed';
}

/**
 * @param {string} folder
 * @returns {number} bytes
 */
function folderSize(folder) {
  try {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    return files.reduce((sum, file) => sum + statSync(path.join(folder, file)).size, 0);
  } catch {
    return 0; // a file went while we looked
  }
}
