import { describe, expect, it } from 'vitest';
import { HammerlineError } from '#libs/contracts';
import { TritonError, type TritonErrorCode, type TritonErrorOptions } from '#libs/triton';
import { modelErrorOf } from './triton-error.js';

const subject = { server: 'Triton at a, b', model: 'hammer', lora: undefined };

function meaning(
  code: TritonErrorCode,
  message: string,
  options: TritonErrorOptions = {},
  lora?: string,
): string {
  const error = modelErrorOf(new TritonError(code, message, options), { ...subject, lora });
  if (!(error instanceof HammerlineError)) throw new Error('no HammerlineError', { cause: error });
  return `${error.code}: ${error.message}`;
}

/** The words of the vLLM backend. */
function said(message: string, lora?: string): string {
  return meaning('internal', message, { reason: 'model_error', progress: 'sent' }, lora);
}

describe('modelErrorOf', () => {
  it.each<[TritonErrorCode, TritonErrorOptions, RegExp]>([
    ['unavailable', { reason: 'connection' }, /^model_unavailable: .*TRITON_URL/],
    ['unavailable', { reason: 'connection', progress: 'sent' }, /^model_failed: /],
    ['unavailable', { reason: 'connection', progress: 'answered' }, /^model_failed: .*within/],
    ['unavailable', { reason: 'no_endpoint' }, /^model_unavailable: .*TRITON_URL/],
    ['unavailable', { reason: 'tls' }, /^model_unavailable: .*TRITON_URL/],
    ['unknown', { reason: 'protocol' }, /^model_unavailable: .*TRITON_URL/],
    ['unknown', { reason: 'protocol', progress: 'sent' }, /^model_failed: .*TRITON_URL/],
    ['unavailable', { reason: 'queue_full', progress: 'sent' }, /^model_overloaded: .*add servers/],
    ['unavailable', { reason: 'queue_timeout', progress: 'sent' }, /^model_overloaded: /],
    ['resource_exhausted', { progress: 'sent', status: 429 }, /^model_overloaded: /],
    [
      'unavailable',
      { reason: 'model_process', progress: 'sent' },
      /^model_unavailable: .*hammer is dead/,
    ],
    ['unavailable', {}, /^model_unavailable: /],
    ['unavailable', { progress: 'sent' }, /^model_failed: .*may have worked/],
    ['unavailable', { reason: 'not_ready', progress: 'sent' }, /^model_unavailable: /],
    [
      'not_found',
      { reason: 'not_ready', progress: 'sent' },
      /^model_unavailable: .*still be loading/,
    ],
    ['not_found', { progress: 'sent' }, /^model_unavailable: .*TRITON_URL/],
    ['deadline_exceeded', { reason: 'stalled', progress: 'sent' }, /^model_failed: .*silent/],
    ['data_loss', { reason: 'malformed_text', progress: 'sent' }, /^model_failed: /],
    ['invalid_argument', {}, /^model_refused: .*inputs of Triton's vLLM backend/],
    ['permission_denied', { progress: 'sent' }, /^model_unavailable: .*key/],
    ['unauthenticated', { progress: 'sent' }, /^model_unavailable: .*key/],
    ['resource_exhausted', { reason: 'too_large' }, /^context_overflow: /],
  ])('%s %o', (code, options, expected) => {
    expect(meaning(code, 'said', options)).toMatch(expected);
  });

  it.each([
    [
      'The decoder prompt (length 9) is longer than the maximum model length of 8.',
      'context_overflow',
    ],
    [
      'The decoder prompt (length 8) plus the number of requested output tokens (at least 1) is longer than the maximum model length of 8.',
      'context_overflow',
    ],
    ["'NoneType' object has no attribute 'lora_name'", 'model_refused'],
    ['Invalid grammar specification.', 'model_refused'],
    ['Failed to transform json schema into a grammar: no', 'model_refused'],
    ['sampling_parameters: structured_outputs: grammar: no rule root', 'model_refused'],
    // Echoes of what a stranger wrote.
    ['cannot tokenize "the schema of my grammar, LoRA"', 'model_failed'],
    ['cannot tokenize "maximum model length of 8"', 'model_failed'],
    [
      'EngineCore encountered an issue. See stack trace (above) for the root cause.',
      'model_failed',
    ],
    ['', 'model_failed'],
  ])('"Error generating stream: %s" is %s', (text, code) => {
    expect(said(`Error generating stream: ${text}`)).toMatch(new RegExp(`^${code}: `));
  });

  it('reads them over HTTP too, where all are invalid arguments', () => {
    const overHttp = (text: string) => meaning('invalid_argument', text, { progress: 'sent' });
    expect(overHttp('Error generating stream: EngineCore')).toMatch(/^model_failed: /);
    const long =
      'The decoder prompt (length 9) is longer than the maximum model length of 8. Make sure';
    expect(overHttp(`Error generating stream: ${long}`)).toMatch(/^context_overflow: /);
    expect(overHttp("unexpected input 'text_input'")).toMatch(/^model_refused: .*inputs/);
  });

  it('names the adapter that the server lacks', () => {
    const text = "LoRA tuned is not supported, we currently support ['office']";
    expect(said(text, 'tuned')).toMatch(/^model_unavailable: .*\['office'\].*MODEL_LORA is tuned/);
    expect(said('LoRA feature is not enabled.', 'tuned')).toMatch(/^model_unavailable: /);
  });

  it('waits for an engine that says it is dead', () => {
    expect(said('Model is unavailable due to unhealthy vLLM engine')).toMatch(
      /^model_unavailable: /,
    );
  });

  it('names the server', () => {
    expect(meaning('unavailable', 'gone', { endpoint: 'a:8001' })).toContain(
      'Triton at a:8001: gone',
    );
    expect(meaning('unavailable', 'gone')).toContain('Triton at a, b: gone');
  });

  it('leaves other errors as they are', () => {
    const error = new Error('a bug');
    expect(modelErrorOf(error, subject)).toBe(error);
  });
});
