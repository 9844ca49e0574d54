import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { differences } from './differences.js';
import { suites } from './suites.js';
import { runVectors } from './run-vectors.js';

const help = `Runs golden vectors of the original Python code (test/vectors/README.md) against this project.

  npm run -s conformance -- [--vectors DIR] [--data DIR]

  --vectors DIR  folder of vector files (*.jsonl); default: test/vectors
  --data DIR     folder of the data sets that the evaluators' vectors refer to; default: test/data
  --help         this text

Prints "<file> <passed>/<total>" for each file, and the first cases that differ ("-" the original, "+" this project).
Exit status: 0 all cases agree, 1 some differ, 2 wrong usage, 3 none differ but there are files that test what is not
implemented.`;
/** Cases shown in full for each file. */
const shown = 3;

function main(): number {
  const folder = path.resolve(import.meta.dirname, '..');
  const { values } = parseArgs({
    options: {
      vectors: { type: 'string', default: path.join(folder, 'vectors') },
      data: { type: 'string', default: path.join(folder, 'data') },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  requireFolder('--vectors', values.vectors);
  requireFolder('--data', values.data);
  const files = readdirSync(values.vectors)
    .filter((name) => name.endsWith('.jsonl'))
    .toSorted();
  if (files.length === 0) throw new TypeError(`--vectors: ${values.vectors} holds no .jsonl file`);
  let failed = 0;
  let missing = 0;
  for (const file of files) {
    const suite = suites.find((candidate) => candidate.file === file);
    if (suite?.run === undefined) {
      missing++;
      console.log(`${file} not implemented${suite ? '' : ': no suite of this name'}`);
      continue;
    }
    const report = runVectors(suite.run, readFileSync(path.join(values.vectors, file), 'utf8'));
    failed += report.mismatches.length;
    console.log(`${file} ${report.total - report.mismatches.length}/${report.total}`);
    for (const { id, expected, actual } of report.mismatches.slice(0, shown)) {
      console.log(`  ${id}`);
      for (const line of differences(expected, actual)) console.log(`    ${line}`);
    }
    const rest = report.mismatches.slice(shown).map(({ id }) => id);
    if (rest.length > 0)
      console.log(`  and ${rest.length} more: ${rest.join(' ').slice(0, 1_000)}`);
  }
  if (failed > 0) return 1;
  return missing > 0 ? 3 : 0;
}

function requireFolder(option: string, folder: string): void {
  if (existsSync(folder) && statSync(folder).isDirectory()) return;
  throw new TypeError(`${option}: there is no folder ${folder}`);
}

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  console.error(`${error.message}\n\n${help}`);
  process.exitCode = 2;
}
