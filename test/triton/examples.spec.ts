import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
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

/** Runs an example in an application that has the package installed; what it prints, line by line. */
async function printed(file: string, ...addresses: string[]): Promise<string[]> {
  const { stdout } = await run(NODE, [file, ...addresses], { cwd: packed.project });
  return stdout.trim().split('\n');
}

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
      "{ datatype: 'FP32', shape: [ 3 ], data: Float32Array(3) [ 1, 2, 3 ] }",
      ' Tell me more Tell me more Tell me more Tell me more Tell me more Tell',
    ]);
  });

  it('identity', async () => {
    expect(await printed('identity.ts', address(triton))).toEqual([
      'numbers [ 1, 2.5, -3 ]',
      'typed array [ 1000000 ] 0.5',
      'invalid_argument · model identity, input INPUT0[0]: a string is no FP32; give a number',
    ]);
  });

  it('deadlines', async () => {
    expect(await printed('deadlines.ts', address(triton))).toEqual([
      'deadline · deadline_exceeded',
      'signal · cancelled',
      'left after the first answer ·  word',
      'silence · deadline_exceeded stalled',
    ]);
  });

  it('load-model', async () => {
    expect(await printed('load-model.ts', address(explicit))).toEqual([
      'identity ready',
      'double [ 2, 4, 6 ]',
      'identity READY',
      'late unloaded',
    ]);
  });

  it('traced', async () => {
    const [answer, trace] = await printed('traced.ts', address(triton));
    expect(answer).toMatch(/^hello hello/);
    const id = /^trace ([0-9a-f]{32})$/.exec(trace ?? '')?.[1];
    expect(id).toBeDefined();
    while (!spans.includes(`"traceId":"${id}"`)) await once(collector, 'spans');
  });
});

it('stream-text', async () => {
  expect(await printed('stream-text.ts', grpc(triton))).toEqual([
    ...['red', 'green', 'blue', 'red'].map((word) => `fields  ${word}`),
    ...['one', 'two', 'one', 'two'].map((word) => `tensors  ${word}`),
  ]);
});

it('servers: each conversation stays at one server', async () => {
  const lines = await printed('servers.ts', grpc(triton), grpc(explicit));
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
    'examples/servers.ts',
    'examples/stream-text.ts',
    'examples/traced.ts',
  ]);
});
