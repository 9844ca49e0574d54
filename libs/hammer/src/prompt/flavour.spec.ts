import { describe, expect, it } from 'vitest';
import { flavourOf } from './flavour.js';

describe('flavourOf', () => {
  it.each([
    ['Hammer2.1-7b', 'bfcl-2.1'],
    ['MadeAgents/Hammer2.1-0.5b', 'bfcl-2.1'],
    ['hammer2.1:1.5b', 'bfcl-2.1'],
    ['Hammer2.1-3b-Q4_K_M.gguf', 'bfcl-2.1'],
    ['hammer-2.1', 'bfcl-2.1'],
    ['hammer-2.0-3b', 'bfcl-2.0'],
    ['MadeAgents/Hammer2.0-1.5b', 'bfcl-2.0'],
    ['MadeAgents/Hammer-7b', 'bfcl-1.0'],
    ['Hammer-1.5b', 'bfcl-1.0'],
    ['hammer-4b', 'bfcl-1.0'],
    ['Hammer1.0-7b', 'bfcl-1.0'],
  ])('of %s is %s', (model, flavour) => {
    expect(flavourOf(model)).toBe(flavour);
  });

  it.each(['smollm2-135m-hammer', 'Qwen2.5-7B', 'sledgehammer-7b', 'Hammer3.0-7b', 'hammer', ''])(
    'of %j is unknown',
    (model) => {
      expect(flavourOf(model)).toBeUndefined();
    },
  );
});
