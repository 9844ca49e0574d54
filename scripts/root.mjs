import path from 'node:path';
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** The Node that everything but the launcher runs on; npm installs it, so it is absent before the first set-up. */
export const NODE = path.join(ROOT, 'node_modules/node/bin/node');

/**
 * Whether a module is what `node` was asked to run, not an import of something else.
 *
 * @param {string} moduleUrl its `import.meta.url`
 */
export function isMain(moduleUrl) {
  const asked = process.argv[1];
  return asked !== undefined && realpathSync(asked) === fileURLToPath(moduleUrl);
}
