import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { HammerlineError } from '#libs/contracts';
import { readToolset, type Toolset } from './toolset.js';

const fileName = 'toolset.json';

/**
 * Loads toolsets by name. A path is a toolset file or a folder. A folder with a `toolset.json` gives that one (what else
 * lies there belongs to it); any other folder gives each `*.json` in it and the `toolset.json` of each folder in it.
 *
 * @throws HammerlineError `config_invalid`, one line that names file, field and how to mend it
 */
export async function loadToolsets(paths: readonly string[]): Promise<Map<string, Toolset>> {
  const files = (await Promise.all(paths.map(filesAt))).flat();
  const sources = new Map<string, string>();
  const toolsets = new Map<string, Toolset>();
  for (const file of new Set(files)) {
    const toolset = await loadFile(file);
    const other = sources.get(toolset.name);
    if (other !== undefined) {
      throw invalid(file, `/name ${toolset.name} is also the name of ${other}; rename one`);
    }
    sources.set(toolset.name, file);
    toolsets.set(toolset.name, toolset);
  }
  return toolsets;
}

async function filesAt(given: string): Promise<string[]> {
  const place = path.resolve(given);
  const entry = await stat(place).catch((error: unknown) => {
    throw invalid(place, 'there is no such file or folder; mend the path', error);
  });
  if (!entry.isDirectory()) return [place];
  const names = (await readdir(place)).toSorted();
  if (names.includes(fileName)) return [path.join(place, fileName)];
  const candidates = names.map((name) =>
    path.join(place, name.endsWith('.json') ? name : path.join(name, fileName)),
  );
  const isFile = await Promise.all(
    candidates.map((file) =>
      stat(file).then(
        (found) => found.isFile(),
        () => false,
      ),
    ),
  );
  const files = candidates.filter((_, index) => isFile[index]);
  if (files.length > 0) return files;
  throw invalid(place, `the folder holds no toolset; put a ${fileName} there`);
}

async function loadFile(file: string): Promise<Toolset> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw invalid(file, 'the file cannot be read; check its permissions', error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(file, `the file is not JSON: ${reason.replaceAll('\n', ' ')}`, error);
  }
  try {
    return readToolset(value);
  } catch (error) {
    if (!(error instanceof HammerlineError)) throw error;
    throw invalid(file, error.message, error);
  }
}

function invalid(file: string, problem: string, cause?: unknown): HammerlineError {
  return new HammerlineError('config_invalid', `${file}: ${problem}`, { cause });
}
