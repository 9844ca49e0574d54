import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';

/** @typedef {{ uid: number, gid: number }} User */
/**
 * How root runs a program as someone else: by the user alone, or through a prefix that also lends it a capability.
 *
 * @typedef {{ owner: User, user?: User, prefix?: string[] }} RunAs
 */

/** @type {User} */
const NOBODY = { uid: 65_534, gid: 65_534 };
/** Bits of Linux capability sets. */
const CAPABILITIES = { dac_override: 1n, dac_read_search: 2n };

/**
 * How root can run `executable` as nobody, working in `folder`, which will be nobody's. Where nobody may not pass a
 * folder on the way (a checkout in a private home folder), the program keeps the one capability that lets it: to search and read,
 * or, where that one is not root's to lend (some containers), to override.
 *
 * @param {string} executable
 * @param {string} folder
 * @returns {RunAs | undefined} undefined: it cannot
 */
export function asNobody(executable, folder) {
  const owner = NOBODY;
  const mayExecute = (statSync(executable).mode & 0o001) !== 0;
  if (mayExecute && isOpen(path.dirname(executable)) && isOpen(folder)) {
    return { owner, user: NOBODY };
  }
  const capability = (mayExecute && canLend('dac_read_search')) || canLend('dac_override');
  if (!capability) return undefined;
  const user = [`--reuid=${NOBODY.uid}`, `--regid=${NOBODY.gid}`, '--clear-groups'];
  const lend = [`--inh-caps=+${capability}`, `--ambient-caps=+${capability}`];
  return { owner, prefix: ['setpriv', ...user, ...lend, '--'] };
}

/**
 * Whether everyone may pass through a folder and those above it.
 *
 * @param {string} folder
 * @returns {boolean}
 */
function isOpen(folder) {
  const parent = path.dirname(folder);
  return (statSync(folder).mode & 0o001) !== 0 && (parent === folder || isOpen(parent));
}

/** @param {keyof typeof CAPABILITIES} name */
function canLend(name) {
  const permitted = /^CapPrm:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return (BigInt(`0x${permitted ?? '0'}`) >> CAPABILITIES[name]) & 1n ? name : undefined;
}
