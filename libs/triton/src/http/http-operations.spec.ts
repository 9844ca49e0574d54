import { describe, expect, it } from 'vitest';
import type { UnaryOperations } from '../transport.js';
import type { HttpAnswer } from './http-message.js';
import { httpOperations } from './http-operations.js';

function sent<O extends keyof UnaryOperations>(
  operation: O,
  request: UnaryOperations[O][0],
): { method: string; path: string; json?: unknown } {
  const { method, path, body } = httpOperations[operation].encode(request);
  return body
    ? { method, path, json: JSON.parse(Buffer.concat(body).toString()) }
    : { method, path };
}

function answer(status: number, body: unknown, headers: HttpAnswer['headers'] = {}): HttpAnswer {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers, body: Buffer.from(text) };
}

describe('requests', () => {
  it('go to the paths of the protocol', () => {
    const model = { model: 'm', version: '2' };
    const paths = [
      sent('ServerLive', {}),
      sent('ServerReady', {}),
      sent('ServerMetadata', {}),
      sent('ModelReady', model),
      sent('ModelMetadata', { model: 'm' }),
      sent('ModelConfig', model),
      sent('ModelStatistics', {}),
      sent('ModelStatistics', model),
      sent('TraceSetting', {}),
      sent('TraceSetting', { model: 'm' }),
      sent('LogSettings', {}),
      sent('HealthCheck', {}),
    ];
    expect(paths.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /v2/health/live',
      'GET /v2/health/ready',
      'GET /v2',
      'GET /v2/models/m/versions/2/ready',
      'GET /v2/models/m',
      'GET /v2/models/m/versions/2/config',
      'GET /v2/models/stats',
      'GET /v2/models/m/versions/2/stats',
      'GET /v2/trace/setting',
      'GET /v2/models/m/trace/setting',
      'GET /v2/logging',
      'GET /v2/health/ready',
    ]);
  });

  it.each(['', '.', '..'])('are not made of %j, which is no name of a model in a path', (model) => {
    const refused = expect.objectContaining({
      code: 'invalid_argument',
      message: expect.stringMatching(/^model: /),
    });
    expect(() => sent('ModelReady', { model })).toThrow(refused);
    expect(() => sent('RepositoryModelUnload', { model })).toThrow(refused);
    expect(sent('ModelReady', { model: '...' }).path).toBe('/v2/models/.../ready');
  });

  it('carry what they set', () => {
    expect(sent('RepositoryIndex', { ready: true })).toEqual({
      method: 'POST',
      path: '/v2/repository/index',
      json: { ready: true },
    });
    const config = { max_batch_size: 4 };
    const files = { '1/model.py': Buffer.from('pass') };
    expect(sent('RepositoryModelLoad', { model: 'm', config, files })).toEqual({
      method: 'POST',
      path: '/v2/repository/models/m/load',
      json: { parameters: { config: '{"max_batch_size":4}', 'file:1/model.py': 'cGFzcw==' } },
    });
    expect(sent('RepositoryModelUnload', { model: 'm', unloadDependents: true }).json).toEqual({
      parameters: { unload_dependents: true },
    });
    const settings = { trace_level: 'TIMESTAMPS', trace_rate: ['5'], trace_count: null };
    expect(sent('TraceSetting', { model: 'm', settings })).toEqual({
      method: 'POST',
      path: '/v2/models/m/trace/setting',
      json: { trace_level: ['TIMESTAMPS'], trace_rate: '5', trace_count: null },
    });
    expect(sent('LogSettings', { settings: { log_info: false } }).json).toEqual({
      log_info: false,
    });
    expect(sent('Generate', { model: 'm', fields: { text_input: 'é', n: [1] } })).toEqual({
      method: 'POST',
      path: '/v2/models/m/generate',
      json: { text_input: 'é', n: [1] },
    });
  });

  it('encode of a name only what a path cannot have, as Triton decodes nothing', () => {
    const name = "a.b-c_d~1!$&'()*+,;=:@";
    expect(sent('ModelMetadata', { model: name }).path).toBe(`/v2/models/${name}`);
    expect(sent('ModelMetadata', { model: 'a b/c?d#e%é😀' }).path).toBe(
      '/v2/models/a%20b%2Fc%3Fd%23e%25%C3%A9%F0%9F%98%80',
    );
  });

  it.each([
    ['model', () => sent('ModelReady', { model: '' })],
    ['model', () => sent('ModelReady', { model: '\ud800' })],
    ['version', () => sent('ModelReady', { model: 'm', version: 'latest' })],
    ['settings.trace_rate', () => sent('TraceSetting', { settings: { trace_rate: ['1', '2'] } })],
    ['settings.log_file', () => sent('LogSettings', { settings: { log_file: '\ud800' } })],
    ['config.a.b', () => sent('RepositoryModelLoad', { model: 'm', config: { a: { b: NaN } } })],
    ['fields.list[1]', () => sent('Generate', { model: 'm', fields: { list: [1, Infinity] } })],
    ['a name in fields', () => sent('Generate', { model: 'm', fields: { '\ud800': 1 } })],
  ])('are refused if they cannot be sent, naming %s', (where, send) => {
    expect(send).toThrow(
      expect.objectContaining({
        code: 'invalid_argument',
        message: expect.stringContaining(`${where}: `),
      }),
    );
  });
});

describe('answers', () => {
  it('tell live and ready by their status', () => {
    const { decode } = httpOperations.ModelReady;
    expect(decode(answer(200, ''))).toBe(true);
    expect(decode(answer(400, ''))).toBe(false);
    expect(decode(answer(400, { error: 'Model version not ready' }))).toBe(false);
    expect(httpOperations.HealthCheck.decode(answer(200, ''))).toBe('serving');
    expect(httpOperations.HealthCheck.decode(answer(400, ''))).toBe('not_serving');
    expect(() => decode(answer(503, { error: 'Server not ready' }))).toThrow(
      expect.objectContaining({ code: 'unavailable', status: 503 }),
    );
  });

  it('have the same shape as over gRPC', () => {
    expect(httpOperations.RepositoryIndex.decode(answer(200, [{ name: 'a' }]))).toEqual([
      { name: 'a', version: '', state: '', reason: '' },
    ]);
    const settings = { trace_level: ['OFF'], trace_rate: '1000', trace_file: '' };
    expect(httpOperations.TraceSetting.decode(answer(200, settings))).toEqual({
      trace_level: ['OFF'],
      trace_rate: ['1000'],
      trace_file: [''],
    });
    const success = { count: 1, ns: 2 };
    const [model] = httpOperations.ModelStatistics.decode(
      answer(200, {
        model_stats: [
          {
            name: 'm',
            version: '1',
            inference_stats: { success },
            response_stats: { 0: { success } },
            batch_stats: [{ batch_size: 3, compute_infer: success }],
          },
        ],
      }),
    );
    const none = { count: 0, ns: 0 };
    expect(model).toMatchObject({
      name: 'm',
      last_inference: 0,
      inference_stats: { success, cache_miss: none },
      response_stats: { 0: { success, cancel: none } },
      batch_stats: [{ batch_size: 3, compute_infer: success, compute_input: none }],
      memory_usage: [],
    });
  });

  it.each([
    [404, { error: "Request for unknown model: 'm' is not found" }, 'not_found', 'not_ready'],
    [500, { error: 'failed to parse the request JSON buffer: x' }, 'invalid_argument', undefined],
    [503, { error: '[request id: a] Exceeds maximum queue size' }, 'unavailable', 'queue_full'],
    [500, { error: 'boo' }, 'internal', 'model_error'],
    [501, { error: 'boo' }, 'unimplemented', undefined],
    [401, 'no', 'unauthenticated', undefined],
    [413, '<html>', 'resource_exhausted', 'too_large'],
    [429, 'slow down', 'resource_exhausted', undefined],
    [502, '<html>Bad Gateway', 'unavailable', undefined],
    [504, '', 'deadline_exceeded', undefined],
    [200, '<html>Welcome', 'unavailable', 'protocol'],
    [200, { name: 'another server' }, 'unavailable', 'protocol'],
    [302, '', 'unavailable', 'protocol'],
    [404, '<html>Not Found', 'unavailable', 'protocol'],
    [400, 'Client sent an HTTP request to an HTTPS server.', 'unavailable', 'tls'],
  ])('of status %d with %j are errors', (status, body, code, reason) => {
    for (const operation of ['ServerMetadata', 'RepositoryIndex', 'TraceSetting'] as const) {
      expect(() => httpOperations[operation].decode(answer(status, body))).toThrow(
        expect.objectContaining({ code, reason, status, progress: 'sent' }),
      );
    }
  });

  it('of a server that is no Triton are neither live nor ready', () => {
    for (const [status, body] of [
      [200, '<html>'],
      [400, '<html>'],
      [404, ''],
    ] as const) {
      expect(() => httpOperations.ServerReady.decode(answer(status, body))).toThrow(
        expect.objectContaining({ code: 'unavailable', reason: 'protocol' }),
      );
    }
  });

  describe('of generate', () => {
    const { decode } = httpOperations.Generate;
    const pieces = { 'transfer-encoding': 'chunked' };

    it('are what the model says, even if it calls an output error', () => {
      const fields = { model_name: 'm', error: 'none' };
      expect(decode(answer(200, fields, pieces))).toEqual(fields);
    });

    it('may be an error with status 200', () => {
      const error = 'generate expects model to produce exactly 1 response, use generate stream';
      expect(() => decode(answer(200, { error }, pieces))).toThrow(
        expect.objectContaining({ code: 'unimplemented', status: 200 }),
      );
    });

    it("have a status that says nothing of the model's error", () => {
      expect(() => decode(answer(400, { error: 'boo' }, pieces))).toThrow(
        expect.objectContaining({ code: 'internal', reason: 'model_error' }),
      );
      const length = { 'content-length': '15' };
      expect(() => decode(answer(400, { error: 'boo' }, length))).toThrow(
        expect.objectContaining({ code: 'invalid_argument', reason: undefined }),
      );
    });

    it('may be broken text', () => {
      const body = Buffer.from('{"text_output":"\u00ff"}', 'latin1');
      expect(() => decode({ status: 200, headers: pieces, body })).toThrow(
        expect.objectContaining({ code: 'data_loss', reason: 'malformed_text' }),
      );
    });
  });
});

describe('live and ready', () => {
  const { decode } = httpOperations.ServerLive;

  it.each([
    ['', true],
    [{ live: true }, true],
    [{ name: 'm', ready: true }, true],
    [{ ready: false }, false],
  ])('%j says %j', (body, is) => {
    expect(decode(answer(200, body))).toBe(is);
  });

  it.each([[{ status: 'ok' }], [{}], [[true]], [{ live: 'yes' }]])('%j is of no Triton', (body) => {
    expect(() => decode(answer(200, body))).toThrow('what answers is no Triton');
  });
});

it('a redirection says where to', () => {
  const moved = answer(302, '', { location: 'https://elsewhere/v2' });
  expect(() => httpOperations.ServerMetadata.decode(moved)).toThrow(
    'no Triton, or not its HTTP port: HTTP 302 to https://elsewhere/v2, of no type',
  );
});
