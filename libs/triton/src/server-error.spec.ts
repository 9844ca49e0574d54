import { expect, it } from 'vitest';
import { serverError } from './server-error.js';

it.each([
  [
    "ModelInfer RPC doesn't support models with decoupled transaction policy",
    'use streamInfer, over gRPC, or generateStream',
  ],
  [
    'explicit model load / unload is not allowed if polling is enabled',
    'start the server with --model-control-mode=explicit',
  ],
  ["Stub process 'm' is not healthy.", 'unload and load the model'],
  ['Stub process is not healthy.', 'unload and load the model'],
])('says what helps behind the words of the server: %s', (words, mend) => {
  expect(serverError('internal', words, {}).message).toBe(`${words} (${mend})`);
});

it.each(['Exceeds maximum queue size', "a model's own words"])('says no more than %s', (words) => {
  expect(serverError('internal', words, {}).message).toBe(words);
});
