import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NODE, ROOT } from '../../scripts/root.mjs';
import {
  packTriton,
  type PackedTriton,
  readmeBlocks,
  TRITON_PACKAGE,
} from '../support/triton-package.js';

const run = promisify(execFile);

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly engines: { readonly node: string };
}

/** Of compiled code: `import … from '…'`, `export … from '…'`, `import '…'` and `import('…')`. */
const IMPORT = /(?:^(?:import|export|\}).*\bfrom |^import |\bimport\()'([^']+)'/gm;

const manifestIn = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')) as Manifest;

let packed: PackedTriton;

beforeAll(async () => {
  packed = await packTriton();
});
afterAll(() => packed.remove());

const installed = (): string => path.join(packed.project, 'node_modules/@hammerline/triton');

describe('the tarball', () => {
  it('has the compiled library, its types, documents and examples, and no tests', () => {
    const places = new Set(packed.files.map((file) => file.split('/')[0]));
    expect(places).toEqual(
      new Set(['LICENSE', 'README.md', 'dist', 'docs', 'examples', 'package.json']),
    );
    expect(packed.files).toContain('docs/api.md');
    expect(packed.files.filter((file) => /\.spec\.|stub/.test(file))).toEqual([]);
    const modules = packed.files.filter((file) => /^dist\/.*\.js$/.test(file));
    expect(modules).toContain('dist/index.js');
    for (const module of modules) {
      expect(packed.files).toContain(`${module}.map`);
      expect(packed.files).toContain(module.replace(/\.js$/, '.d.ts'));
    }
  });

  it('is right by publint', async () => {
    const tarball = new Uint8Array(await readFile(packed.tarball)).buffer;
    const { messages } = await publint({ pack: { tarball }, strict: true });
    expect(messages).toEqual([]);
  });

  it('imports nothing but itself, Node and undici', async () => {
    const modules = packed.files.filter((file) => /\.(js|d\.ts)$/.test(file));
    const imported = new Set<string>();
    for (const module of modules) {
      const code = await readFile(path.join(installed(), module), 'utf8');
      for (const [, name = ''] of code.matchAll(IMPORT)) {
        if (!name.startsWith('.')) imported.add(name.replace(/^node:.*/, 'node:'));
      }
    }
    expect(imported).toEqual(new Set(['node:', 'undici']));
  });

  it('has sources in its source maps', async () => {
    const map = JSON.parse(await readFile(path.join(installed(), 'dist/index.js.map'), 'utf8')) as {
      sourcesContent: string[];
    };
    const source = await readFile(path.join(TRITON_PACKAGE, 'src/index.ts'), 'utf8');
    expect(map.sourcesContent).toEqual([source]);
  });
});

it('asks for the undici that is tested here, and for a Node that undici runs on', async () => {
  const own = await manifestIn(TRITON_PACKAGE);
  const { dependencies } = await manifestIn(ROOT);
  const undici = await manifestIn(path.join(ROOT, 'node_modules/undici'));
  expect(own.dependencies).toEqual({ undici: `^${dependencies.undici}` });
  expect(own.engines).toEqual(undici.engines);
});

it('runs in a plain JavaScript program, over both transports', async () => {
  const program = path.join(packed.project, 'plain.mjs');
  await writeFile(
    program,
    `import { tensor, TritonClient, TritonError } from '@hammerline/triton';
    console.log(tensor('INT8', [[1, 2], [3, 4]]).shape.join());
    for (const url of ['grpc://127.0.0.1:1', 'http://127.0.0.1:1']) {
      const triton = new TritonClient(url, { retry: false });
      await triton.serverLive().catch((error) => {
        console.log(error instanceof TritonError, error.code, error.reason, error.endpoint);
      });
    }`,
  );
  const { stdout } = await run(NODE, [program]);
  const refused = 'true unavailable connection 127.0.0.1:1';
  expect(stdout.trim().split('\n')).toEqual(['2,2', refused, refused]);
});

describe('types', () => {
  const program = `
    import { output, tensor, TritonClient, type InferAnswer } from '@hammerline/triton';
    const triton = new TritonClient('grpc://127.0.0.1:8001');
    const answer: InferAnswer = await triton.infer({ model: 'm', inputs: { A: [1], B: [['x']] } });
    const floats: Float32Array = output(answer, 'A', 'FP32').data;
    const big: BigInt64Array = tensor('INT64', [1, 2n]).data;
    // @ts-expect-error there is no such data type
    tensor('FP31', [1]);
    // @ts-expect-error texts are no numbers
    tensor('FP32', ['1']);
    // @ts-expect-error the model is missing
    await triton.infer({ inputs: {} });
    export { big, floats };`;

  it.each([
    ['nodenext', { module: 'nodenext' }],
    ['bundler', { module: 'esnext', moduleResolution: 'bundler', skipLibCheck: true }],
  ])('are found and right with module resolution %s', async (_name, options) => {
    await writeFile(path.join(packed.project, 'program.ts'), program);
    expect(await packed.typeErrors(['program.ts'], options)).toBe('');
  });

  it('accept the examples, and the code in the README', async () => {
    const index = await readFile(path.join(installed(), 'dist/index.d.ts'), 'utf8');
    const exported = Array.from(index.matchAll(/\{([^}]+?),?\s*\}/g), ([, names]) => names);
    const files = packed.files.flatMap((file) => file.match(/^examples\/(.*\.ts)$/)?.[1] ?? []);
    for (const [number, code] of (await readmeBlocks('ts')).entries()) {
      const file = `readme-${number}.ts`;
      const prelude = `
        import { ${exported.join(', ')} } from '@hammerline/triton';
        import { readFileSync } from 'node:fs';
        import { context, propagation } from '@opentelemetry/api';
        declare const triton: TritonClient;`;
      await writeFile(path.join(packed.project, file), `${prelude}\n${code}`);
      files.push(file);
    }
    const [first = ''] = await readmeBlocks('js');
    await writeFile(path.join(packed.project, 'first.ts'), first);
    files.push('first.ts');
    expect(files.length).toBeGreaterThan(10);
    expect(await packed.typeErrors(files, { module: 'nodenext', skipLibCheck: true })).toBe('');
  });
});

it('has no dead links in its README', async () => {
  const readme = await readFile(path.join(TRITON_PACKAGE, 'README.md'), 'utf8');
  const links = Array.from(readme.matchAll(/\]\((?!https:)([^)#]+)/g), ([, link = '']) => link);
  expect(links.length).toBeGreaterThan(5);
  const isThere = (link: string): boolean =>
    packed.files.some((file) => file === link || file.startsWith(`${link}/`));
  expect(links.filter((link) => !isThere(link))).toEqual([]);
});

it('has an API reference of its doc comments: `npm run docs` in libs/triton writes it', async () => {
  const bin = path.join(ROOT, 'node_modules/.bin/typedoc');
  const out = path.join(packed.project, 'docs');
  const flags = ['--tsconfig', 'tsconfig.build.json', '--logLevel', 'Error', '--out', out];
  await run(bin, flags, { cwd: TRITON_PACKAGE });
  const committed = path.join(TRITON_PACKAGE, 'docs/api.md');
  const generated = await readFile(path.join(out, 'api.md'), 'utf8');
  const formatting = { ...(await resolveConfig(committed)), filepath: committed };
  expect(await format(generated, formatting)).toBe(await readFile(committed, 'utf8'));
});
