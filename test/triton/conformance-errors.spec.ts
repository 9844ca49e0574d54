import { createServer, request as httpRequest } from 'node:http';
import { describe, expect, it } from 'vitest';
import {
  type InferRequest,
  type Tensor,
  tensor,
  TritonClient,
  type TritonError,
} from '#libs/triton';
import { all, failureOf, protocols, untilFailure, useTriton } from './support/protocols.js';
import { INPUT0, REFUSED, text } from './support/refused-requests.js';

const triton = useTriton(
  { models: ['identity', 'slow', 'text', 'broken'] },
  // The server is to find the faults.
  { checkInputs: false },
);

/** Nothing ran where the model is not there. */
const reasonOf = (code: string) => (code === 'not_found' ? 'not_ready' : undefined);

const flag = (value: boolean): Tensor => tensor('BOOL', [value]);

const slow = (ms: number, id: string, parameters = {}): InferRequest => ({
  model: 'slow',
  id,
  parameters,
  inputs: { MS: tensor('INT32', [[ms]]) },
});

/** Keeps the only instance of `slow` busy meanwhile. */
async function whileBusy<T>(id: string, work: () => Promise<T>): Promise<T> {
  const over = new AbortController();
  // Over gRPC, because only there a cancelled inference ends at the server.
  const busy = failureOf(triton.client('grpc').infer(slow(60_000, id), { signal: over.signal }));
  await triton.saw(id, 'started');
  try {
    return await work();
  } finally {
    over.abort();
    await busy;
    await triton.saw(id, 'cancelled');
  }
}

describe.each(protocols)('over %s', (protocol) => {
  it.each(REFUSED)('$what: $code', async ({ request, code, message }) => {
    expect(await failureOf(triton.client(protocol).infer(request))).toMatchObject({
      code,
      reason: reasonOf(code),
      progress: 'sent',
      operation: 'ModelInfer',
      endpoint: protocol === 'grpc' ? triton.server.grpc : new URL(triton.server.http).host,
      message: expect.stringMatching(message) as string,
    });
  });

  it('a full queue: unavailable, queue_full', async () => {
    const client = triton.client(protocol);
    const failures = await whileBusy(`busy for a full queue, ${protocol}`, async () => {
      const refused: TritonError[] = [];
      const enough = Promise.withResolvers<void>();
      const calls = Array.from({ length: 6 }, (_, at) =>
        client.infer(slow(0, `${protocol} ${at}`)).catch((error: TritonError) => {
          if (refused.push(error) === 3) enough.resolve();
        }),
      );
      await enough.promise;
      return { refused, calls };
    });
    await Promise.all(failures.calls);
    for (const error of failures.refused) {
      expect(error).toMatchObject({
        code: 'unavailable',
        reason: 'queue_full',
        progress: 'sent',
        status: protocol === 'grpc' ? 14 : 503,
        message: expect.stringContaining('Exceeds maximum queue size') as string,
      });
    }
  });

  it('too long in the queue: unavailable, queue_timeout', async () => {
    const error = await whileBusy(`busy for a queue time-out, ${protocol}`, () =>
      failureOf(triton.client(protocol).infer(slow(0, '', { timeout: 1_000 }))),
    );
    expect(error).toMatchObject({
      code: 'unavailable',
      reason: 'queue_timeout',
      progress: 'sent',
      message: expect.stringContaining('Request timeout expired') as string,
    });
  });

  it.each([
    ['INTERNAL', 'internal'],
    ['NOT_FOUND', 'not_found'],
    ['INVALID_ARG', 'invalid_argument'],
    ['UNAVAILABLE', 'unavailable'],
    ['UNSUPPORTED', 'unimplemented'],
    // HTTP has no status for these, and Triton takes 400.
    ['ALREADY_EXISTS', protocol === 'grpc' ? 'already_exists' : 'invalid_argument'],
    ['UNKNOWN', protocol === 'grpc' ? 'unknown' : 'invalid_argument'],
    ['CANCELLED', protocol === 'grpc' ? 'cancelled' : 'invalid_argument'],
  ])('an error %s of the model: %s', async (given, code) => {
    // gRPC's own library for Node loses a message that ends in a space.
    const inputs = { MESSAGE: text('too größe 100% '), CODE: text(given) };
    const call = triton.client(protocol).infer({ model: 'broken', inputs });
    expect(await failureOf(call)).toMatchObject({
      code,
      progress: 'sent',
      message: 'too größe 100% ',
    });
  });

  it('an exception of the model: internal, model_error', async () => {
    const inputs = { MESSAGE: text('ö'), CODE: text('EXCEPTION') };
    expect(
      await failureOf(triton.client(protocol).infer({ model: 'broken', inputs })),
    ).toMatchObject({
      code: 'internal',
      reason: 'model_error',
      progress: 'sent',
      message: expect.stringContaining('RuntimeError: ö') as string,
    });
  });
});

const script = (parts: object): string => JSON.stringify({ script: parts });

describe('streaming inference', () => {
  const request = (parts: object): InferRequest => ({
    model: 'text',
    id: 'mine',
    inputs: {
      text_input: text('a b'),
      stream: flag(true),
      sampling_parameters: text(script(parts)),
    },
  });
  const failing = request({ tokens: ['a', 'b'], error: { after: 1, message: 'größe ' } });

  // In band, or as the status of the call.
  it.each([{}, { triton_grpc_error: 'true' }])(
    'an error of the model: internal, model_error (%o)',
    async (metadata) => {
      const { items, error } = await untilFailure(
        triton.client('grpc').streamInfer(failing, { metadata }),
      );
      expect(items).toHaveLength(1);
      expect(error).toMatchObject({
        code: 'internal',
        reason: 'model_error',
        progress: 'answered',
        operation: 'ModelStreamInfer',
        endpoint: triton.server.grpc,
        message: 'Error generating stream: größe ',
      });
    },
  );

  it.each([{}, { triton_grpc_error: 'true' }])(
    'an unknown model: not_found (%o)',
    async (metadata) => {
      const stream = triton
        .client('grpc')
        .streamInfer({ model: 'txet', inputs: { text_input: text('a') } }, { metadata });
      expect((await untilFailure(stream)).error).toMatchObject({
        code: 'not_found',
        reason: 'not_ready',
        progress: 'sent',
        operation: 'ModelStreamInfer',
        endpoint: triton.server.grpc,
      });
    },
  );

  it.each(REFUSED.filter(({ code }) => code !== 'unimplemented'))(
    '$what, told in band: $code',
    async ({ request: wrong, code, message }) => {
      const { items, error } = await untilFailure(triton.client('grpc').streamInfer(wrong));
      expect(items).toEqual([]);
      expect(error).toMatchObject({
        code,
        reason: reasonOf(code),
        progress: 'sent',
        message: expect.stringMatching(message) as string,
      });
    },
  );

  it('a full queue, told in band: unavailable, queue_full', async () => {
    await whileBusy('busy for a stream', async () => {
      const over = new AbortController();
      const client = triton.client('grpc');
      const first = Promise.withResolvers<TritonError>();
      const calls = Array.from({ length: 4 }, async (_, at) => {
        const stream = client.streamInfer(slow(0, `s${at}`), { signal: over.signal });
        first.resolve((await untilFailure(stream)).error);
      });
      expect(await first.promise).toMatchObject({
        code: 'unavailable',
        reason: 'queue_full',
        progress: 'sent',
      });
      over.abort();
      await Promise.all(calls);
    });
  });

  it('an error concerns its request alone', async () => {
    const stream = triton.client('grpc').openStream();
    const fine = all(stream.infer(request({ tokens: ['a', 'b', 'c'], every_ms: 5 })));
    const { items, error } = await untilFailure(stream.infer(failing));
    expect(items).toHaveLength(1);
    expect(error).toMatchObject({ code: 'internal', reason: 'model_error', progress: 'answered' });
    expect(await fine).toHaveLength(3);
    expect(await all(stream.infer(request({ tokens: ['a'] })))).toHaveLength(1);
    await stream.close();
  });

  it('HTTP has none: unimplemented', async () => {
    const client = triton.client('http');
    const stream = client.openStream();
    for (const answers of [client.streamInfer(failing), stream.infer(failing)]) {
      expect((await untilFailure(answers)).error).toMatchObject({
        code: 'unimplemented',
        reason: undefined,
        progress: 'unsent',
        operation: 'ModelStreamInfer',
        message: expect.stringContaining('use gRPC, or generateStream') as string,
      });
    }
    await stream.close();
  });
});

it('malformed JSON, which is HTTP status 500: invalid_argument', async () => {
  // This client sends none: a proxy breaks it on the way.
  const proxy = createServer((request, response) => {
    const { url: path, method, headers } = request;
    const broken = httpRequest(new URL(path ?? '/', triton.server.http), { method, headers });
    broken.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    request.on('data', (chunk: Buffer) => {
      broken.write(chunk.toString('latin1').replace('{', '['), 'latin1');
    });
    request.on('end', () => broken.end());
  });
  await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as { port: number };
  const client = new TritonClient(`http://127.0.0.1:${port}`, { checkInputs: false });
  const call = client.infer({ model: 'identity', inputs: { INPUT0 } });
  expect(await failureOf(call)).toMatchObject({
    code: 'invalid_argument',
    progress: 'sent',
    status: 500,
    message: expect.stringContaining('failed to parse the request JSON buffer') as string,
  });
  await client.close();
  proxy.close();
});
