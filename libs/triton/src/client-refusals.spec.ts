import { describe, expect, it, vi } from 'vitest';
import { TritonClient } from './client.js';
import type { ModelMetadata } from './protocol.js';
import type { Transport, UnaryCall } from './transport.js';
import { TritonError } from './triton-error.js';

const url = 'grpc://127.0.0.1:1';
const answer = { model: 'm', version: '1', id: '', parameters: {}, outputs: {} };
const fp32: ModelMetadata = {
  name: 'm',
  versions: ['1'],
  platform: 'python',
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1] }],
};
const int8: ModelMetadata = { ...fp32, inputs: [{ name: 'x', datatype: 'INT8', shape: [-1] }] };
const text: ModelMetadata = {
  ...fp32,
  inputs: [
    { name: 'text_input', datatype: 'BYTES', shape: [1] },
    { name: 'stream', datatype: 'BOOL', shape: [1] },
  ],
};

function transportOf(behave: (call: UnaryCall) => unknown): Transport {
  return {
    unary: async (call) => behave(call) as never,
    stream: ({ operation, requests, context }) =>
      (async function* () {
        for await (const request of requests)
          yield behave({ operation, request, context } as never) as never;
      })(),
    close: async () => {},
  };
}

function clientOf(behave: (call: UnaryCall) => unknown, options = {}): TritonClient {
  return new TritonClient(transportOf(behave), { retry: false, ...options });
}

/** What is thrown at once. */
function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

const refusal = (message: string): unknown =>
  expect.objectContaining({
    name: 'TritonError',
    code: 'invalid_argument',
    progress: 'unsent',
    message: expect.stringContaining(message) as string,
  });

describe('the constructor refuses', () => {
  it.each<[string, string, unknown[]]>([
    ['no target', 'target: missing; give a URL', []],
    ['a number', 'target: neither a URL nor a transport', [8001]],
    ['half a transport', 'target: neither a URL nor a transport', [{ unary: () => {} }]],
    ['null for options', 'client options: null is none', [url, null]],
    ['one interceptor', 'interceptors: no list of functions', [url, { interceptors: () => {} }]],
    ['no interceptors', 'interceptors: no list of functions', [url, { interceptors: [1] }]],
    [
      'an interceptor that returns nothing',
      'interceptors: log returns no transport; return { unary',
      [url, { interceptors: [function log() {}] }],
    ],
    [
      'Headers',
      'metadata: a Headers is none; give an object, as Object.fromEntries(headers)',
      [url, { metadata: new Headers({ a: '1' }) }],
    ],
    ['a text for a time', 'timeoutMs: 5 is no time', [url, { timeoutMs: '5' }]],
    [
      'a misspelt option',
      'client options, timoutMs: unknown; did you mean timeoutMs?',
      [url, { timoutMs: 5 }],
    ],
    ['a far name', 'client options, qqq: unknown; known are timeoutMs', [url, { qqq: 5 }]],
    ['one of retry', 'retry, attempt: unknown; did you mean', [url, { retry: { attempt: 5 } }]],
    ['one of health', 'health, failure: unknown', [[url], { health: { failure: 5 } }]],
    ['one of tls', 'tls, cacert: unknown; did you mean', ['grpcs://a:1', { tls: { cacert: '' } }]],
  ])('%s', (_, message, given) => {
    expect(thrownBy(() => Reflect.construct(TritonClient, given))).toEqual(refusal(message));
  });
});

describe('a method refuses', () => {
  const inputs = { x: [1] };
  const fields = { text_input: 'a' };
  it.each<[string, string, keyof TritonClient, unknown[]]>([
    ['no request', 'request: missing', 'infer', []],
    ['no request', 'request: missing', 'generate', []],
    ['no model', 'request: missing', 'modelReady', []],
    ['an empty name', 'model: missing', 'modelMetadata', ['']],
    ['no model', 'request: missing', 'loadModel', []],
    ['no model', 'model: missing', 'unloadModel', [{}]],
    [
      'one output',
      "model m, outputs: no list; give names in a list, as ['OUTPUT0']",
      'infer',
      [{ model: 'm', inputs, outputs: 'OUTPUT0' }],
    ],
    [
      'an output without name',
      'model m, outputs[1]: has no name',
      'infer',
      [{ model: 'm', inputs, outputs: ['y', null] }],
    ],
    [
      'a number as id',
      "model m, id: 7 is no text; give a text, as '7'",
      'infer',
      [{ model: 'm', inputs, id: 7 }],
    ],
    [
      'a number as version',
      "model m, version: 1 is no text; give a text, as '1'",
      'infer',
      [{ model: 'm', inputs, version: 1 }],
    ],
    [
      'a number as version',
      "model m, version: 1 is no text; give a text, as '1'",
      'generate',
      [{ model: 'm', fields, version: 1 }],
    ],
    ['a number as version', 'model m, version: 1', 'modelReady', [{ model: 'm', version: 1 }]],
    [
      'inputs in a Map',
      'model m, inputs: a Map is none',
      'infer',
      [{ model: 'm', inputs: new Map() }],
    ],
    [
      'a misspelt field',
      'model m, infer request, input: unknown; did you mean inputs?',
      'infer',
      [{ model: 'm', inputs, input: 1 }],
    ],
    [
      'no fields',
      'model m, fields: missing; give inputs and parameters in fields',
      'generate',
      [{ model: 'm', prompt: 'a' }],
    ],
    [
      'a field beside the fields',
      'model m, generate request, prompt: unknown; known are model',
      'generate',
      [{ model: 'm', fields, prompt: 'a' }],
    ],
    [
      'a controller',
      'signal: is no AbortSignal; give controller.signal',
      'serverLive',
      [{ signal: new AbortController() }],
    ],
    [
      'Headers',
      'metadata: a Headers is none; give an object',
      'serverLive',
      [{ metadata: new Headers() }],
    ],
    ['null', 'call options: null is none', 'serverLive', [null]],
    [
      'a misspelt option',
      'call options, timeout: unknown; did you mean timeoutMs?',
      'serverLive',
      [{ timeout: 5 }],
    ],
    ['one of a load', 'call options, timeout: unknown', 'loadModel', ['m', { timeout: 5 }]],
  ])('%s: %s', async (_, message, method, given) => {
    const asked = vi.fn<() => unknown>(() => answer);
    const client = clientOf(asked, { checkInputs: false });
    const outcome = Reflect.apply(client[method], client, given) as Promise<unknown>;
    await expect(outcome).rejects.toEqual(refusal(message));
    expect(asked).not.toHaveBeenCalled();
  });

  it('and a stream as well', async () => {
    const client = clientOf(() => answer);
    const bad = { model: 'm', prompt: 'a' } as never;
    await expect(client.streamInfer(undefined as never).next()).rejects.toEqual(
      refusal('request: missing'),
    );
    await expect(client.generateStream(bad).next()).rejects.toEqual(refusal('fields: missing'));
    const stream = client.openStream();
    await expect(stream.infer(undefined as never).next()).rejects.toEqual(
      refusal('request: missing'),
    );
    const options = { affinity: 'a' } as never;
    expect(thrownBy(() => stream.infer({ model: 'm', inputs }, options))).toEqual(
      refusal('call options, affinity: unknown; known are timeoutMs, signal'),
    );
    await stream.close();
  });

  it('fields that contain themselves, over HTTP', async () => {
    const client = new TritonClient('http://127.0.0.1:1');
    const circle: Record<string, never> = {};
    Object.assign(circle, { circle });
    await expect(client.generate({ model: 'm', fields: circle })).rejects.toEqual(
      refusal('nested over 500 deep; give no object that contains itself'),
    );
    await client.close();
  });
});

describe('a refusal of the server', () => {
  const told = new TritonError('invalid_argument', 'data-type is not that', { progress: 'sent' });

  /** A server whose model was loaded anew with another data type, after its metadata was read. */
  function reloaded(takes: string) {
    let metadata = fp32;
    const seen: string[] = [];
    const client = clientOf(({ operation, request }) => {
      seen.push(operation);
      if (operation === 'ModelMetadata') return metadata;
      if (!('inputs' in request)) return answer;
      const given = request.inputs[0]?.tensor.datatype;
      if (metadata === int8 && given !== takes) throw told;
      return answer;
    });
    return {
      client,
      seen,
      reload: () => {
        metadata = int8;
        seen.length = 0;
      },
    };
  }

  it('of plain values is tried again with the tensors of fresh metadata', async () => {
    const { client, seen, reload } = reloaded('INT8');
    const request = { model: 'm', inputs: { x: [1] } };
    await client.infer(request);
    reload();
    expect(await client.infer(request)).toEqual(answer);
    expect(seen).toEqual(['ModelInfer', 'ModelMetadata', 'ModelInfer']);
  });

  it('is tried again only once, and not where the tensors stay the same', async () => {
    const { client, seen, reload } = reloaded('nothing');
    const plain = { model: 'm', inputs: { x: [1] } };
    const x = { datatype: 'FP32', shape: [1], data: new Float32Array(1) } as const;
    await client.infer(plain);
    reload();
    await expect(client.infer(plain)).rejects.toBe(told);
    await expect(client.infer(plain)).rejects.toBe(told);
    expect(seen).toEqual([
      'ModelInfer',
      'ModelMetadata',
      'ModelInfer',
      'ModelInfer',
      'ModelMetadata',
    ]);
    const other = reloaded('nothing');
    await other.client.infer(plain);
    other.reload();
    await expect(other.client.infer({ model: 'm', inputs: { x } })).rejects.toBe(told);
    expect(other.seen).toEqual(['ModelInfer', 'ModelMetadata']);
  });

  it.each([
    ['text_inptu', ' (text_inptu is no input: did you mean text_input?)'],
    ['prompt', ''],
    ['text_input', ''],
  ])('that misses inputs is explained where a field is nearly one: %s', async (name, hint) => {
    const words = "expected number of inputs between 1 and 2 but got 0 inputs for model 'm'";
    const client = clientOf(({ operation }) => {
      if (operation === 'ModelMetadata') return text;
      throw new TritonError('invalid_argument', words, { progress: 'sent' });
    });
    const request = { model: 'm', fields: { [name]: 'a' } };
    const error = { code: 'invalid_argument', message: words + hint };
    await expect(client.generate(request)).rejects.toMatchObject(error);
    await expect(client.generateStream(request).next()).rejects.toMatchObject(error);
  });

  it('stays as it is where the metadata cannot be had', async () => {
    const words = "expected 2 inputs but got 1 inputs for model 'm'";
    const counted = new TritonError('invalid_argument', words, { progress: 'sent' });
    const client = clientOf(({ operation }) => {
      throw operation === 'ModelMetadata' ? new TritonError('unavailable', 'gone') : counted;
    });
    await expect(client.generate({ model: 'm', fields: {} })).rejects.toBe(counted);
  });
});

describe('the words of limits', () => {
  it.each([
    [{ timeoutMs: 20 }, 'ModelInfer of model slow: no answer within 20 ms'],
    [{ signal: AbortSignal.abort() }, 'ModelInfer of model slow: cancelled by its signal'],
  ])('%o: %s', async (options, message) => {
    const client = clientOf(() => new Promise(() => {}));
    const call = client.infer({ model: 'slow', inputs: { x: [1] } }, options);
    await expect(call).rejects.toMatchObject({ message });
  });

  it('of metadata, which has its own', async () => {
    const seen: unknown[] = [];
    const client = clientOf(({ operation, context: { label, timeoutMs } }) => {
      seen.push({ label, timeoutMs });
      return operation === 'ModelMetadata' ? fp32 : answer;
    });
    await client.infer({ model: 'm', inputs: { x: [1] } });
    expect(seen).toEqual([
      { label: 'metadata of model m', timeoutMs: 20_000 },
      { label: 'ModelInfer of model m', timeoutMs: 60_000 },
    ]);
  });
});
