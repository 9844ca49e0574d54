import { pathToFileURL } from 'node:url';
import path from 'node:path';
import { ROOT } from '../../scripts/root.mjs';

/** A change of one of our compiled modules: what the product does not have, a test can put into a process of it. */
export interface Edit {
  /** Below dist/. */
  file: string;
  /** Occurs once in it: otherwise the process does not start. */
  find: string;
  put: string;
}

/** What makes a process of an app run with these edits. */
export function withEdits(...edits: Edit[]): NodeJS.ProcessEnv {
  const hook = pathToFileURL(path.join(ROOT, 'test/support/edit-modules.mjs'));
  return { NODE_OPTIONS: `--import=${hook.href}`, TEST_EDITS: JSON.stringify(edits) };
}
