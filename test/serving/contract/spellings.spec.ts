import { expect, it } from 'vitest';
import { TritonError } from '#libs/triton';
import { knownSpellings } from './spellings.js';

const server = (onGuidedDecoding: () => Promise<string>) => (sampling: object) =>
  'guided_decoding' in sampling ? onGuidedDecoding() : Promise.resolve('zebra');

it('are those that the model does not refuse', async () => {
  expect(await knownSpellings(server(() => Promise.resolve('zebra')))).toEqual([
    'structured_outputs',
    'guided_decoding',
  ]);
  const refusal = new TritonError('internal', 'Error generating stream: unexpected keyword', {
    reason: 'model_error',
  });
  expect(await knownSpellings(server(() => Promise.reject(refusal)))).toEqual([
    'structured_outputs',
  ]);
});

it('are not known of a server that is not ready, or ignores what it does not know', async () => {
  const away = new TritonError('unavailable', 'is not at ready state', { reason: 'not_ready' });
  await expect(knownSpellings(server(() => Promise.reject(away)))).rejects.toBe(away);
  await expect(knownSpellings(server(() => Promise.resolve('hi')))).rejects.toThrow(/zebra/);
});
