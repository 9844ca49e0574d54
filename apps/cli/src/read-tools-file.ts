import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { HammerlineError } from '#libs/contracts';
import { inlineToolset, readTools, readToolset, type Toolset } from '#libs/tools';

/**
 * Reads the tools of a file, or of standard input where its name is `-`: a toolset file, or a list of tools in OpenAI,
 * BFCL or xLAM shape.
 *
 * @throws HammerlineError that names the file, the field and the mend
 */
export async function readToolsFile(file: string): Promise<Toolset> {
  const value = await readJsonFile(file);
  const isToolset = typeof value === 'object' && value !== null && 'tools' in value;
  if (!Array.isArray(value) && !isToolset) {
    const mend = 'give a list of tools, also of one, or an object {name, version, tools}';
    throw new HammerlineError('invalid_request', `${file} holds no tools: ${mend}`);
  }
  return Array.isArray(value) ? inlineToolset(readTools(value, '')) : readToolset(value);
}

/** @throws HammerlineError `invalid_request` where there is no such file, or no JSON in it */
export async function readJsonFile(file: string): Promise<unknown> {
  let content: string;
  try {
    content = await (file === '-' ? text(process.stdin) : readFile(file, 'utf8'));
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new HammerlineError('invalid_request', `${file} cannot be read: ${reason}`, { cause });
  }
  try {
    return JSON.parse(content);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HammerlineError('invalid_request', `${file} is no JSON: ${reason}`, { cause });
  }
}
