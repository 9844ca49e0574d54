import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, Failure } from './failure.mjs';
import { run } from './process.mjs';
import { isMain, NODE, ROOT } from './root.mjs';
import { progress } from './terminal.mjs';

const DIST = path.join(ROOT, 'dist');
const STAMP = path.join(DIST, '.stamp');
const NEST = path.join(ROOT, 'node_modules/@nestjs/cli/bin/nest.js');
/** As nest-cli.json says, too. */
const NO_SOURCES = /\.spec\.ts$|^libs\/triton\/(dist|examples)\//;
const SETTINGS = [
  'package-lock.json',
  'nest-cli.json',
  '.swcrc',
  'tsconfig.json',
  'scripts/build.mjs',
];

/**
 * Compiles apps/ and libs/ into dist/, unless that was done for the sources as they are.
 *
 * @param {AbortSignal} [signal]
 */
export async function build(signal) {
  const sources = listSources();
  const stamp = fingerprint([...SETTINGS, ...sources]);
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stamp) return;
  await progress('build', async () => {
    // In a Nest monorepo the swc builder compiles every app and library, whichever app is named.
    const { code, tail } = await run(NODE, [NEST, 'build', 'gateway'], { cwd: ROOT, signal });
    if (code !== 0) {
      const said = tail.map(({ text }) => text).filter((text) => text.trim());
      throw new Failure(['the build failed:', ...said.slice(-15)].join('\n'));
    }
    for (const source of sources.filter(isAsset)) {
      const target = path.join(DIST, source);
      await mkdir(path.dirname(target), { recursive: true });
      await copyFile(path.join(ROOT, source), target);
    }
    writeFileSync(STAMP, stamp);
  });
}

/** What the compiler leaves behind but the programs read: SQL, Lua, static files. @param {string} file */
export function isAsset(file) {
  return file.includes('/src/') && !/\.(ts|mts|cts|tsx)$/.test(file);
}

/** Source files relative to the checkout; tests are no part of a build. */
function listSources() {
  return ['apps', 'libs']
    .flatMap((folder) => {
      const names = readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' });
      return names.map((name) => path.join(folder, name));
    })
    .filter((file) => !NO_SOURCES.test(file) && statSync(path.join(ROOT, file)).isFile())
    .toSorted();
}

/** @param {string[]} files */
function fingerprint(files) {
  const hash = createHash('sha256');
  for (const file of files) {
    const { mtimeMs, size } = statSync(path.join(ROOT, file));
    hash.update(`${file}\n${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex');
}

if (isMain(import.meta.url)) {
  await build().catch((error) => {
    console.error(describe(error));
    process.exitCode = 1;
  });
}
