import { expect, it, onTestFinished, vi } from 'vitest';
import { readServerMessage } from './server-messages.js';

it.each([
  ["Request for unknown model: 'nope' is not found", 'not_found', 'not_ready'],
  ["Request for unknown model: 'identity' version 9 is not found", 'not_found', 'not_ready'],
  ["Request for unknown model: 'batched' has no available versions", 'not_found', 'not_ready'],
  ['Request for unknown model : nope', 'not_found', 'not_ready'],
  ["requested model 'nope' is not available", 'not_found', 'not_ready'],
  ["Request for unknown model: 'late' version 1 is not at ready state", 'unavailable', 'not_ready'],
  ['Server not ready', 'unavailable', 'not_ready'],
  ['Server exiting', 'unavailable', 'not_ready'],
  [
    '[request id: 7] Server is stopping, scheduler for model has stopped accepting new inference requests',
    'unavailable',
    'not_ready',
  ],
  [
    'GRPC server is shutting down and has stopped accepting new requests.',
    'unavailable',
    'not_ready',
  ],
  ['no healthy upstream', 'unavailable', 'not_ready'],
  ['[request id: r1] Exceeds maximum queue size', 'unavailable', 'queue_full'],
  ['Request timeout expired', 'unavailable', 'queue_timeout'],
  ["Stub process 'slow_0_0' is not healthy.", 'unavailable', 'model_process'],
  [
    "Failed to process the request(s) for model 'raiser_0_0', message: ValueError: no\n\nAt:\n",
    'internal',
    'model_error',
  ],
  [
    "HTTP end point doesn't support models with decoupled transaction policy",
    'unimplemented',
    undefined,
  ],
  [
    "ModelInfer RPC doesn't support models with decoupled transaction policy",
    'unimplemented',
    undefined,
  ],
  [
    'generate expects model to produce exactly 1 response, use generate stream for model that',
    'unimplemented',
    undefined,
  ],
  ["This API is restricted, expecting header 'x-key'", 'permission_denied', undefined],
  ["This protocol is restricted, expecting header 'k'", 'permission_denied', undefined],
  [
    'explicit model load / unload is not allowed if polling is enabled',
    'failed_precondition',
    undefined,
  ],
  [
    "[request id: <id_unknown>] inference input 'INPUT0' data-type is 'INT32', but model 'identity' expects 'FP32'",
    'invalid_argument',
    undefined,
  ],
  [
    "[request id: <id_unknown>] unexpected shape for input 'INPUT0' for model 'identity'. Expected [-1], got [1,2]. ",
    'invalid_argument',
    undefined,
  ],
  ["unexpected inference input 'X' for model 'identity'", 'invalid_argument', undefined],
  [
    "[request id: <id_unknown>] expected 1 inputs but got 0 inputs for model 'identity'. Got input(s) []",
    'invalid_argument',
    undefined,
  ],
  [
    "unexpected size for input 'INPUT0', expecting 4 additional bytes for model 'identity'",
    'invalid_argument',
    undefined,
  ],
  ["unexpected additional input data for model 'identity'", 'invalid_argument', undefined],
  [
    "[request id: a] input byte size mismatch for input 'INPUT0' for model 'identity'. Expected 8",
    'invalid_argument',
    undefined,
  ],
  [
    "[request id: a] inference request batch-size must be <= 8 for 'batched'",
    'invalid_argument',
    undefined,
  ],
  [
    "parameter keys starting with 'triton_' are reserved for Triton usage and should not be specified.",
    'invalid_argument',
    undefined,
  ],
  ['failed to parse the request JSON buffer: Invalid value. at 11', 'invalid_argument', undefined],
  [
    "Unable to parse 'inputs': attempt to access non-existing object member 'inputs'",
    'invalid_argument',
    undefined,
  ],
  [
    'attempt to access JSON non-unsigned-integer as unsigned-integer',
    'invalid_argument',
    undefined,
  ],
  [
    "[request id: a] input 'INPUT0' batch size does not match other inputs for 'batched'",
    'invalid_argument',
    undefined,
  ],
  ["a model's own words", undefined, undefined],
  // What would be sent to another server must not be for a stranger to say.
  ["cannot read: Request for unknown model: 'x' is not found", undefined, undefined],
  ['cannot read: it is not at ready state', undefined, undefined],
  ['cannot read: Server is stopping, ', undefined, undefined],
  [`Request for unknown model: '${'m'.repeat(10_000)}' is not found`, 'not_found', 'not_ready'],
  [`[request id: ${'r'.repeat(10_000)}] Request timeout expired`, 'unavailable', 'queue_timeout'],
])('reads %j', (message, code, reason) => {
  const known = readServerMessage(message);
  expect([known.code, known.reason]).toEqual([code, reason]);
});

it('looks at little of a long message, with expressions that repeat little: texts are echoed', () => {
  const test = vi.spyOn(RegExp.prototype, 'test');
  onTestFinished(() => test.mockRestore());
  expect(readServerMessage("data-type is '".repeat(75_000))).toEqual({});
  const seen = test.mock.calls.map(([text]) => text.length);
  const sources = test.mock.contexts.map(String);
  test.mockRestore();
  expect(sources.length).toBeGreaterThan(20);
  expect(Math.max(...seen)).toBeLessThan(5_000);
  expect(sources.filter((source) => /(?<!\\d)[*+]/.test(source))).toEqual([]);
});
