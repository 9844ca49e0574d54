import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../../scripts/root.mjs';

const run = promisify(execFile);
const modules = path.join(ROOT, 'node_modules');

/** The sources of `@hammerline/triton`. */
export const TRITON_PACKAGE = path.join(ROOT, 'libs/triton');

/** `@hammerline/triton` as npm would publish it. */
export interface PackedTriton {
  tarball: string;
  /** Paths in the tarball. */
  files: string[];
  /** A folder of an application that has it installed, with what its examples need. */
  project: string;
  /** What `tsc` says of files in the project; nothing if all is well. */
  typeErrors(files: readonly string[], compilerOptions: object): Promise<string>;
  remove(): Promise<void>;
}

/** Builds and packs it by its own scripts, but in a folder of its own: nothing is left in the checkout. */
export async function packTriton(): Promise<PackedTriton> {
  const folder = await mkdtemp(path.join(tmpdir(), 'hammerline-triton-package-'));
  const staged = path.join(folder, 'package');
  for (const name of ['package.json', 'README.md', 'LICENSE', 'docs', 'examples']) {
    await cp(path.join(TRITON_PACKAGE, name), path.join(staged, name), { recursive: true });
  }
  const built = path.join(staged, 'dist');
  await run('npm', ['run', 'build', '--', '--outDir', built], { cwd: TRITON_PACKAGE });
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const { stdout } = await run('npm', pack, { cwd: staged });
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  const tarball = path.join(folder, packed.filename);
  const project = path.join(folder, 'project');
  await install(project, tarball);
  return {
    tarball,
    files: packed.files.map((file) => file.path),
    project,
    typeErrors: (files, compilerOptions) => typeErrors(project, files, compilerOptions),
    remove: () => rm(folder, { recursive: true }),
  };
}

/** What `npm install` would do, without a network. */
async function install(project: string, tarball: string): Promise<void> {
  const target = path.join(project, 'node_modules/@hammerline/triton');
  await mkdir(target, { recursive: true });
  await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', target]);
  for (const name of ['undici', '@opentelemetry', '@types']) {
    await symlink(path.join(modules, name), path.join(project, 'node_modules', name));
  }
  await cp(path.join(target, 'examples'), project, { recursive: true });
  await writeFile(path.join(project, 'package.json'), '{ "type": "module" }');
}

async function typeErrors(
  project: string,
  files: readonly string[],
  compilerOptions: object,
): Promise<string> {
  const config = path.join(project, 'tsconfig.json');
  const options = { target: 'es2022', noEmit: true, strict: true, types: ['node'] };
  const content = { compilerOptions: { ...options, ...compilerOptions }, files };
  await writeFile(config, JSON.stringify(content));
  const failed = run(path.join(modules, '.bin/tsc'), ['-p', config]).then(
    () => '',
    (error: unknown) => (error as { stdout: string }).stdout,
  );
  return failed;
}

/** The code blocks of the package's README in that language. */
export async function readmeBlocks(language: string): Promise<string[]> {
  const text = await readFile(path.join(TRITON_PACKAGE, 'README.md'), 'utf8');
  const blocks = text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'));
  return Array.from(blocks, ([, code = '']) => code);
}
