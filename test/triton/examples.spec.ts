import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cp, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NODE } from '../../scripts/root.mjs';
import { packTriton, type PackedTriton, readmeBlocks } from '../support/triton-package.js';
import { startTestTriton, type TestTriton } from '../support/triton.js';

const run = promisify(execFile);

let packed: PackedTriton;
let triton: TestTriton;
/** Loads models by request only. */
let explicit: TestTriton;
/** What Triton sends its spans to. */
let collector: Server;
let spans = '';

beforeAll(async () => {
  collector = createServer((request, response) => void collect(request, response));
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
  const { port } = collector.address() as AddressInfo;
  packed = await packTriton();
  // As the README says, into what `npm init -y` makes.
  const { project } = packed;
  await writeFile(path.join(project, 'package.json'), '{ "type": "commonjs" }');
  const installed = path.join(project, 'node_modules/@hammerline/triton/examples');
  await cp(installed, path.join(project, 'examples'), { recursive: true });
  triton = await startTestTriton({
    models: ['identity', 'slow', 'text'],
    args: [
      '--trace-config=mode=opentelemetry',
      '--trace-config=rate=1',
      '--trace-config=level=TIMESTAMPS',
      `--trace-config=opentelemetry,url=http://127.0.0.1:${port}/v1/traces`,
      '--trace-config=opentelemetry,bsp_schedule_delay=50',
    ],
  });
  explicit = await startTestTriton({ models: ['identity', 'late'], explicit: ['identity'] });
});
afterAll(async () => {
  await explicit.stop();
  await triton.stop();
  await packed.remove();
  collector.close();
});

async function collect(request: IncomingMessage, response: ServerResponse): Promise<void> {
  spans += await text(request);
  collector.emit('spans');
  response.end();
}

/** Runs a program in an application that has the package installed; what it prints, line by line. */
async function printed(file: string, ...addresses: string[]): Promise<string[]> {
  const { stdout } = await run(NODE, [file, ...addresses], { cwd: packed.project });
  return stdout.trim().split('\n');
}

const example = (name: string, ...addresses: string[]): Promise<string[]> =>
  printed(`examples/${name}`, ...addresses);

const grpc = ({ grpc: address }: TestTriton): string => `grpc://${address}`;
const transports = [
  ['gRPC', grpc],
  ['HTTP', ({ http }: TestTriton): string => http],
] as const;

describe.each(transports)('over %s', (_name, address) => {
  it('the first script of the README calls identity and streams text, in ten lines', async () => {
    const [code = ''] = await readmeBlocks('js');
    expect(code.trim().split('\n').length).toBeLessThanOrEqual(10);
    await writeFile(path.join(packed.project, 'first.mjs'), code);
    expect(await printed('first.mjs', address(triton))).toEqual([
      'Float32Array(3) [ 1, 2, 3 ]',
      ' Tell me more Tell me more Tell me more Tell me more Tell me more Tell',
    ]);
  });

  it('identity', async () => {
    expect(await example('identity.ts', address(triton))).toEqual([
      'numbers [ 1, 2.5, -3 ]',
      'typed array [ 1000000 ] 0.5',
      'invalid_argument · model identity, input INPUT0[0]: a string is no FP32; give a number',
    ]);
  });

  it('deadlines', async () => {
    expect(await example('deadlines.ts', address(triton))).toEqual([
      'deadline · deadline_exceeded',
      'signal · cancelled',
      'left after the first answer ·  word',
      'silence · deadline_exceeded stalled',
    ]);
  });

  it('load-model', async () => {
    expect(await example('load-model.ts', address(explicit))).toEqual([
      'identity ready',
      'double [ 2, 4, 6 ]',
      'identity READY',
      'late unloaded',
    ]);
  });

  it('traced', async () => {
    const [answer, trace] = await example('traced.ts', address(triton));
    expect(answer).toMatch(/^hello hello/);
    const id = /^trace ([0-9a-f]{32})$/.exec(trace ?? '')?.[1];
    expect(id).toBeDefined();
    while (!spans.includes(`"traceId":"${id}"`)) await once(collector, 'spans');
  });
});

describe('stream-text', () => {
  const fields = ['red', 'green', 'blue', 'red'].map((word) => `fields  ${word}`);

  it('by fields and by tensors over gRPC', async () => {
    expect(await example('stream-text.ts', grpc(triton))).toEqual([
      ...fields,
      ...['one', 'two', 'one', 'two'].map((word) => `tensors  ${word}`),
    ]);
  });

  it('by fields over HTTP', async () => {
    expect(await example('stream-text.ts', triton.http)).toEqual([
      ...fields,
      'tensors only over gRPC',
    ]);
  });
});

it('load-model says which flag the server lacks', async () => {
  await expect(example('load-model.ts', grpc(triton))).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^failed_precondition · .*\(start the server with --model-control-mode=explicit\)\n$/,
    ),
  });
});

it('servers: each conversation stays at one server', async () => {
  const lines = await example('servers.ts', grpc(triton), grpc(explicit));
  const either = `(${triton.grpc}|${explicit.grpc})`;
  const conversations = ['anna', 'ben', 'cleo', 'dora'].map((name) =>
    expect.stringMatching(new RegExp(`^${name} ${either}$`)),
  );
  expect(lines).toEqual([...conversations, `${triton.grpc} ready`, `${explicit.grpc} ready`]);
});

it('are all run here', () => {
  const files = packed.files.filter((file) => file.startsWith('examples/'));
  expect(files).toEqual([
    'examples/deadlines.ts',
    'examples/identity.ts',
    'examples/load-model.ts',
    'examples/package.json',
    'examples/servers.ts',
    'examples/stream-text.ts',
    'examples/traced.ts',
  ]);
});
