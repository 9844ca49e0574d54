import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appendSection } from './append-section.js';
import { type BuiltinName, builtinOptionsProblem } from './builtin.js';
import type { CallResult } from '#libs/contracts';
import { type CallContext, executeCall } from './execute-call.js';
import type { Tool } from './toolset.js';

let filesDir: string;

beforeEach(async () => {
  filesDir = await mkdtemp(path.join(tmpdir(), 'hammerline-'));
});
afterEach(() => rm(filesDir, { recursive: true }));

interface RunOptions extends Partial<Tool> {
  file: string;
  id?: string;
  context?: Partial<CallContext>;
}

function run(
  name: BuiltinName,
  args: Record<string, unknown>,
  { file, id = 'call-1', context, ...policy }: RunOptions,
): Promise<CallResult> {
  const executor = { kind: 'builtin', name, options: { file } } as const;
  const fixed = {
    name: 't',
    description: '',
    parameters: {},
    effect: 'idempotent',
    approval: 'never',
    executor,
  } as const;
  const tool: Tool = { ...fixed, timeoutMs: 10_000, maxResultBytes: 65_536, ...policy };
  return executeCall(tool, { id, arguments: args }, { env: {}, filesDir, ...context });
}

describe('document.append_section', () => {
  const report = { file: 'report.md' };
  const append = (
    args: Record<string, unknown>,
    options: { id?: string } = {},
  ): Promise<CallResult> => run('document.append_section', args, { ...report, ...options });
  const read = (): Promise<string> => readFile(path.join(filesDir, 'report.md'), 'utf8');

  it('appends a section, once for a call', async () => {
    await writeFile(path.join(filesDir, 'report.md'), '# Report\n');
    const result = { file: 'report.md', heading: 'Outlook', words: 3 };
    const outlook = { heading: 'Outlook', text: 'Orders are  up.' };
    for (let time = 0; time < 3; time++) {
      expect(await append(outlook)).toEqual({ state: 'succeeded', result });
    }
    expect(await append({ heading: 'Costs', text: 'Flat.' }, { id: 'call-2' })).toMatchObject({
      state: 'succeeded',
    });
    expect(await read()).toBe(
      '# Report\n\n## Outlook\n\nOrders are  up.\n<!-- call-1 -->\n\n## Costs\n\nFlat.\n<!-- call-2 -->\n',
    );
  });

  it('makes the document, and parts the section from a last line without an end', async () => {
    await append({ heading: 'A', text: 'a' });
    expect(await read()).toBe('## A\n\na\n<!-- call-1 -->\n');
    await writeFile(path.join(filesDir, 'report.md'), 'end');
    await append({ heading: 'A', text: 'a' });
    expect(await read()).toBe('end\n\n## A\n\na\n<!-- call-1 -->\n');
  });

  it('writes all of a section again if a killed process left part of it', async () => {
    await writeFile(path.join(filesDir, 'report.md'), '## A\n\nthe fi');
    await append({ heading: 'A', text: 'the first' });
    expect(await read()).toContain('## A\n\nthe first\n<!-- call-1 -->\n');
  });

  it('keeps the sections of processes that write at once', async () => {
    const file = path.join(filesDir, 'report.md');
    const script = `
      const { appendSection } = await import(process.argv[1]);
      for (let n = 0; n < 50; n++) {
        appendSection(process.argv[2], process.argv[3] + n, { heading: 'H', text: 'x'.repeat(9000) });
      }`;
    const source = new URL('append-section.ts', import.meta.url).href;
    const loader = `data:text/javascript,${encodeURIComponent(
      `import { registerHooks } from 'node:module';
       registerHooks({ resolve: (name, context, next) => name === '#libs/contracts'
         ? { url: 'data:text/javascript,export class HammerlineError extends Error {}', shortCircuit: true }
         : next(name, context) });`,
    )}`;
    const start = (prefix: string): Promise<unknown> =>
      promisify(execFile)(process.execPath, [
        '--import',
        loader,
        '--input-type=module',
        '--eval',
        script,
        source,
        file,
        prefix,
      ]);
    await Promise.all([start('a'), start('b'), start('c')]);
    const sections = (await read()).match(/## H\n\nx{9000}\n<!-- [abc]\d+ -->\n/g) ?? [];
    expect(new Set(sections).size).toBe(150);
  });

  it.each([
    [{ heading: 'a\nb', text: '' }, /heading: must be a single line/],
    [{ heading: ' ', text: '' }, /heading/],
    [{ heading: 'a', text: 5 }, /text/],
    [{ heading: 'a', text: 'b', extra: 1 }, /extra/],
  ])('refuses %j', async (args, message) => {
    expect(await append(args)).toMatchObject({
      state: 'failed',
      error: { code: 'invalid_arguments', message: expect.stringMatching(message) as string },
    });
    await expect(read()).rejects.toThrow('ENOENT');
  });

  it('fails if its folder is not there', async () => {
    const result = await run(
      'document.append_section',
      { heading: 'a', text: 'b' },
      { file: 'no/report.md' },
    );
    expect(result).toMatchObject({ state: 'failed', error: { code: 'tool_failed' } });
  });

  it('has succeeded even if its result is over the cap', async () => {
    const policy = { ...report, maxResultBytes: 10 };
    const result = await run('document.append_section', { heading: 'a', text: 'b' }, policy);
    expect(result).toMatchObject({
      state: 'succeeded',
      result: { truncated: true, maxResultBytes: 10 },
    });
    expect(await read()).toContain('## a');
  });

  it('finds a mark by the whole of its line', async () => {
    const file = path.join(filesDir, 'report.md');
    appendSection(file, 'call-12', { heading: 'A', text: 'see <!-- call-1 --> there' });
    appendSection(file, 'call-1', { heading: 'B', text: 'b' });
    expect(await read()).toContain('## B');
  });
});

describe('table.column_statistics', () => {
  const compute = (
    column: string,
    statistic: string,
    policy: Partial<Tool> = {},
  ): Promise<CallResult> =>
    run(
      'table.column_statistics',
      { column, statistic },
      { file: 'sales.csv', effect: 'read', ...policy },
    );

  beforeEach(async () => {
    const rows = [
      '\ufeffmonth,"units, sold",price',
      'Jan,3,1.5',
      '',
      'Feb, 10 ,',
      'Mar,2,"2.5"',
      'Apr,-1,x',
    ];
    await writeFile(path.join(filesDir, 'sales.csv'), rows.join('\r\n'));
  });

  it.each([
    ['mean', 3.5],
    ['median', 2.5],
    ['sum', 14],
    ['min', -1],
    ['max', 10],
  ])('computes the %s', async (statistic, value) => {
    expect(await compute('units, sold', statistic)).toEqual({
      state: 'succeeded',
      result: { column: 'units, sold', statistic, value, rows: 4 },
    });
  });

  it('takes the middle one of an odd number, and leaves out empty cells', async () => {
    await writeFile(path.join(filesDir, 'sales.csv'), 'n,m\n5,\n1,\n,\n3,\n');
    expect(await compute('n', 'median')).toMatchObject({ result: { value: 3, rows: 3 } });
    expect(await compute('m', 'mean')).toMatchObject({
      error: { message: 'column m holds no numbers' },
    });
  });

  it('names the columns if it does not know one', async () => {
    expect(await compute('month ', 'mean')).toEqual({
      state: 'failed',
      error: {
        code: 'tool_failed',
        message: 'there is no column month ; the columns are: month, units, sold, price',
      },
    });
  });

  it('says which cell is no number', async () => {
    expect(await compute('price', 'sum')).toMatchObject({
      error: { message: 'row 5 of column price holds "x", which is no number' },
    });
  });

  it('fails without its file, on broken CSV, with another statistic, over its cap', async () => {
    expect(await compute('month', 'mode')).toMatchObject({ error: { code: 'invalid_arguments' } });
    expect(await compute('units, sold', 'sum', { maxResultBytes: 5 })).toMatchObject({
      state: 'failed',
      error: { code: 'result_too_large' },
    });
    await writeFile(path.join(filesDir, 'sales.csv'), 'a,b\n"1,2\n');
    expect(await compute('a', 'sum')).toMatchObject({
      state: 'failed',
      error: { code: 'tool_failed' },
    });
    await rm(path.join(filesDir, 'sales.csv'));
    expect(await compute('a', 'sum')).toMatchObject({
      error: { message: expect.stringMatching(/ENOENT/) as string },
    });
  });

  it('times out', async () => {
    const line = `${'1'.repeat(10)}\n`;
    await writeFile(path.join(filesDir, 'sales.csv'), `n\n${line.repeat(900_000)}`);
    expect(await compute('n', 'sum', { timeoutMs: 1 })).toEqual({
      state: 'failed',
      error: { code: 'tool_timeout', message: 'no answer in time' },
      mayRetry: 'not_sent',
    });
  });
});

it.each([
  ['is stopped', 'the call was stopped', { signal: AbortSignal.abort() }],
  ['may not start any more', 'not sent: it may not start any more', { mayStart: () => false }],
])('a builtin that %s has taken no effect', async (_, message, context) => {
  const section = { heading: 'A', text: 'a' };
  expect(await run('document.append_section', section, { file: 'a.md', context })).toEqual({
    state: 'failed',
    error: { code: 'cancelled', message },
    mayRetry: 'not_sent',
  });
  await expect(readFile(path.join(filesDir, 'a.md'))).rejects.toThrow('ENOENT');
});

describe('builtinOptionsProblem', () => {
  it.each(['../x', '/etc/passwd', 'a/../../x', 'a\\..\\x', '', 'a\0'])(
    'refuses the file %j',
    (file) => {
      expect(builtinOptionsProblem('table.column_statistics', { file })).toMatch(/^file: /);
    },
  );

  it('refuses missing and unknown options', () => {
    expect(builtinOptionsProblem('table.column_statistics', undefined)).toMatch(/^file: /);
    expect(builtinOptionsProblem('document.append_section', { file: 'a', mode: 1 })).toMatch(
      /mode/,
    );
    expect(builtinOptionsProblem('document.append_section', { file: 'a/..b.md' })).toBeUndefined();
  });
});
