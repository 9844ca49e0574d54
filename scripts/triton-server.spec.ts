import { expect, it } from 'vitest';
import { whyNot } from './triton-server.mjs';

const ended = 'error: creating server: Internal - failed to load all models';

it('names each model that failed, without the call stack', () => {
  const failed = (model: string, why: string): string =>
    `E1122 17:27:05.868555 2316 model_lifecycle.cc:642] "failed to load '${model}' version 1: ${why}\\n\\nAt:\\n  x.py(1)"`;
  expect(whyNot([failed('a', 'no "weights"'), failed('b', 'é'), ended])).toBe(
    `Triton: failed to load 'a' version 1: no "weights"; failed to load 'b' version 1: é`,
  );
});

it('has the last word of a server that said no more', () => {
  expect(whyNot([ended])).toBe(`Triton: ${ended}`);
  expect(whyNot([])).toBeUndefined();
});
