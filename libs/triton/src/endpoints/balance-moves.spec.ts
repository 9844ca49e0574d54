import { describe, expect, it } from 'vitest';
import { retries } from '../retry.js';
import { serverError } from '../server-error.js';
import type { StreamCall, UnaryCall } from '../transport.js';
import { TritonError, type TritonErrorCode, type TritonErrorOptions } from '../triton-error.js';
import { balance } from './balance.js';
import {
  readAll,
  refuse,
  refused,
  StubServers,
  urls,
} from '../../../../test/support/stub-servers.js';

const context = { metadata: {} };
const infer = {
  operation: 'ModelInfer',
  request: { model: 'm', inputs: [] },
  context,
} as const satisfies UnaryCall;
const absent = serverError('not_found', "Request for unknown model: 'm' is not found", {});

/** The first of those that are left is asked. */
function over(count: number) {
  const servers = new StubServers();
  const transport = balance({
    endpoints: urls(count),
    connect: servers.connect,
    policy: () => 0,
  });
  return { servers, transport };
}

function fail(error: TritonError): () => never {
  return () => {
    throw error;
  };
}

function sent(code: TritonErrorCode, options: TritonErrorOptions): TritonError {
  return new TritonError(code, 'as it happens', { progress: 'sent', ...options });
}

describe('a call that nobody has looked at', () => {
  it.each([
    ['never sent', refused],
    ['for a model that is not there', absent],
    [
      'for one that is not loaded yet',
      serverError('unavailable', "Request for model 'm' failed: 'm' is not at ready state", {}),
    ],
    ['to a server that stops', serverError('unavailable', 'Server not ready', {})],
  ])('moves on at once: %s', async (_, error) => {
    const { servers, transport } = over(3);
    servers.server(1).behave = fail(error);
    expect(await transport.unary(infer)).toBe('answer');
    expect(servers.calls).toEqual([1, 1, 0]);
  });

  it('goes to each endpoint once, and fails as the last', async () => {
    const { servers, transport } = over(3);
    for (const server of servers.connected) server.behave = fail(absent);
    await expect(transport.unary(infer)).rejects.toMatchObject({
      code: 'not_found',
      reason: 'not_ready',
      endpoint: '10.0.0.3:8001',
    });
    expect(servers.calls).toEqual([1, 1, 1]);
  });

  it('takes nothing from the budget of retries, and moves no more when it is repeated', async () => {
    const { servers, transport } = over(3);
    const options = { random: () => 0, burst: 1, budget: 0 };
    const retrying = retries(options)(transport);
    servers.server(1).behave = refuse;
    for (let call = 0; call < 4; call++) expect(await retrying.unary(infer)).toBe('answer');
    for (const server of servers.connected) server.behave = refuse;
    const before = servers.calls.reduce((sum, calls) => sum + calls);
    await expect(retrying.unary(infer)).rejects.toMatchObject({ reason: 'connection' });
    // Everywhere once, and the one retry.
    expect(servers.calls.reduce((sum, calls) => sum + calls) - before).toBe(3 + 1);
  });

  it.each([
    ['may have run', sent('unavailable', { reason: 'connection' }), infer],
    ['met a full queue', sent('unavailable', { reason: 'queue_full' }), infer],
    ['met a dead process', sent('unavailable', { reason: 'model_process' }), infer],
    ['is wrong', sent('invalid_argument', {}), infer],
    [
      'is meant for a server that has the model',
      absent,
      { operation: 'RepositoryModelUnload', request: { model: 'm' }, context } as const,
    ],
  ])('is none that %s', async (_, error, call) => {
    const { servers, transport } = over(2);
    servers.server(1).behave = fail(error);
    await expect(transport.unary(call as UnaryCall)).rejects.toMatchObject({ code: error.code });
    expect(servers.calls).toEqual([1, 0]);
  });
});

describe('a model that another endpoint has', () => {
  it('is left out where it is not, and found again by a call that tries', async () => {
    const { servers, transport } = over(2);
    servers.server(1).behave = fail(absent);
    for (let call = 0; call < 4; call++) expect(await transport.unary(infer)).toBe('answer');
    expect(servers.calls).toEqual([1, 4]);
    expect(transport.snapshot()).toMatchObject([
      { state: 'ready', brokenModels: ['m'] },
      { state: 'ready', brokenModels: [] },
    ]);
  });

  it('is left out nowhere where nobody has it: names are endless', async () => {
    const { servers, transport } = over(2);
    for (const server of servers.connected) server.behave = fail(absent);
    await transport.unary(infer).catch(() => {});
    expect(transport.snapshot()).toMatchObject([{ brokenModels: [] }, { brokenModels: [] }]);
    servers.server(2).behave = () => 'answer';
    expect(await transport.unary(infer)).toBe('answer');
  });
});

describe('a stream', () => {
  const call: StreamCall<'ModelStreamInfer'> = {
    operation: 'ModelStreamInfer',
    requests: [infer.request],
    context,
  };

  /** Says that first; then throws, or says it in band. */
  function streamOf(
    error: TritonError,
    { first = [], inBand = false }: { first?: object[]; inBand?: boolean } = {},
  ) {
    return async function* () {
      yield* first;
      if (!inBand) throw error;
      yield { error, answer: {} };
    };
  }
  const well = async function* () {
    yield { answer: {} };
  };

  it.each([
    ['is thrown', refused, false],
    ['is thrown by a server', absent, false],
    ['comes in band', absent, true],
  ])('moves on before its first answer: the failure %s', async (_, error, inBand) => {
    const { servers, transport } = over(2);
    servers.server(1).behave = streamOf(error, { inBand });
    servers.server(2).behave = well;
    expect(await readAll(transport.stream(call))).toEqual([{ answer: {} }]);
    expect(transport.snapshot().map(({ inFlight }) => inFlight)).toEqual([0, 0]);
    for (let at = 0; at < 3; at++) await readAll(transport.stream(call));
    expect(servers.server(1).calls).toBe(error === absent ? 1 : 4);
  });

  it('stays where it has answered, or where its requests cannot be read again', async () => {
    const { servers, transport } = over(2);
    servers.server(1).behave = streamOf(refused, { first: [{ answer: {} }] });
    await expect(readAll(transport.stream(call))).rejects.toMatchObject({ reason: 'connection' });
    const once = { ...call, requests: [infer.request].values() };
    servers.server(1).behave = streamOf(refused);
    await expect(readAll(transport.stream(once))).rejects.toMatchObject({ reason: 'connection' });
    servers.server(1).behave = streamOf(absent, { inBand: true });
    const two = { ...call, requests: [infer.request, infer.request] };
    expect(await readAll(transport.stream(two))).toMatchObject([{ error: { code: 'not_found' } }]);
    expect(servers.calls).toEqual([3, 0]);
  });
});
