const TTY = process.stdout.isTTY;
const COLOUR = TTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
/** A terminal that is recorded keeps every state of its line. */
const TTY_EVERY_MS = 1000;
/** Without a terminal a long step still shows that it lives, but does not fill a log. */
const PLAIN_EVERY_MS = 10_000;

/** @param {string} text */
export function print(text = '') {
  process.stdout.write(`${text}\n`);
}

const paint = (/** @type {number} */ code) => (/** @type {string} */ text) =>
  COLOUR ? `\u001B[${code}m${text}\u001B[0m` : text;
export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);
export const cyan = paint(36);

/** @param {number} ms */
export function duration(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** @param {number} bytes */
export function megabytes(bytes) {
  const mb = bytes / 1e6;
  return `${mb < 10 ? mb.toFixed(1) : Math.round(mb)} MB`;
}

/**
 * Shows that a step of unknown length goes on: one line rewritten on a terminal, a few plain lines elsewhere.
 *
 * @template T
 * @param {string} label
 * @param {(note: (text: string) => void) => Promise<T>} step may note how far it is
 * @returns {Promise<T>}
 */
export async function progress(label, step) {
  const began = performance.now();
  let note = '';
  const line = () => {
    const seconds = Math.round((performance.now() - began) / 1000);
    return `${label} … ${note ? `${note}, ` : ''}${seconds} s`;
  };
  const show = () => (TTY ? process.stdout.write(`\r\u001B[K${dim(line())}`) : print(line()));
  if (TTY) show();
  else print(`${label} …`);
  const timer = setInterval(show, TTY ? TTY_EVERY_MS : PLAIN_EVERY_MS);
  try {
    const result = await step((text) => (note = text));
    const took = `${label}: ${duration(performance.now() - began)}`;
    process.stdout.write(`${TTY ? '\r\u001B[K' : ''}${took}\n`);
    return result;
  } catch (error) {
    if (TTY) process.stdout.write('\r\u001B[K');
    throw error;
  } finally {
    clearInterval(timer);
  }
}
