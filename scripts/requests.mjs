import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Failure } from './failure.mjs';
import { ROOT } from './root.mjs';

export const OFFICE = path.join(ROOT, 'examples/office/toolset.json');
const REQUESTS = path.join(ROOT, 'examples/office/requests.json');

/**
 * What a start submits, and the toolset files that the processes need for it.
 *
 * @typedef {object} Sample
 * @property {import('./story.mjs').Request[]} requests
 * @property {string[]} toolsets files
 * @property {Set<string>} httpTools names of the tools that are sent over HTTP
 */

/**
 * The office sample, or the user's own request.
 *
 * @param {{ ask?: string | undefined, tools?: string | undefined }} flags
 * @returns {Sample}
 */
export function chooseRequests({ ask, tools: file }) {
  const office = readJson(OFFICE);
  if (ask === undefined) {
    const requests = readJson(REQUESTS).map((/** @type {any} */ { query, expect }) => ({
      body: { query, toolset: office.name, mode: 'execute' },
      expect,
    }));
    return { requests, toolsets: [OFFICE], httpTools: httpTools(office) };
  }
  if (file === undefined) {
    const body = { query: ask, toolset: office.name, mode: 'execute' };
    return { requests: [{ body }], toolsets: [OFFICE], httpTools: httpTools(office) };
  }
  const given = readJson(file);
  if (Array.isArray(given)) {
    const body = { query: ask, tools: given, mode: 'resolve' };
    return { requests: [{ body }], toolsets: [OFFICE], httpTools: new Set() };
  }
  if (typeof given?.name !== 'string' || !Array.isArray(given.tools)) {
    throw new Failure(
      `${file} is neither a toolset (an object with \`name\` and \`tools\`) nor a JSON array of tools`,
    );
  }
  const body = { query: ask, toolset: given.name, mode: 'execute' };
  const toolsets = given.name === office.name ? [path.resolve(file)] : [OFFICE, path.resolve(file)];
  return { requests: [{ body }], toolsets, httpTools: httpTools(given) };
}

/** @param {string} file */
function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    throw new Failure(code === 'ENOENT' ? `there is no file ${file}` : `${file}: ${message}`);
  }
}

/** @param {{ tools: { name: string, executor?: { kind?: string } }[] }} toolset */
function httpTools({ tools }) {
  return new Set(tools.filter((it) => it.executor?.kind === 'http').map(({ name }) => name));
}
