import { describe, expect, it } from 'vitest';
import { readCard } from './read-card.js';

const hammer = { contextTokens: 32_768, endTokens: ['<|im_end|>', '<|endoftext|>'] };

describe('readCard', () => {
  it('knows a Hammer model by its name', () => {
    expect(readCard('Hammer2.1-7b', 'safetensors', hammer)).toEqual({
      name: 'Hammer2.1-7b',
      flavour: 'bfcl-2.1',
      maxCalls: 8,
      contextTokens: 16_384,
      stop: ['<|im_end|>', '<|endoftext|>'],
      maskTrained: true,
      confidenceThreshold: 1,
    });
  });

  it('asks any other with our prompt, and promises nothing of it', () => {
    const card = readCard('qwen', 'gguf', { contextTokens: 2_048, endTokens: ['</s>'] });
    expect(card).toMatchObject({ flavour: 'compact', contextTokens: 2_048, maskTrained: false });
    expect(card.stop).toEqual(['<|im_end|>', '</s>']);
  });

  it('takes the user at their word', () => {
    const choices = {
      flavour: 'bfcl-2.0',
      contextTokens: 4_096,
      stop: ['\n'],
      maskTrained: false,
      maxCalls: 1,
      confidenceThreshold: 0.5,
    } as const;
    const card = readCard('Hammer2.1-7b', 'gguf', hammer, choices);
    expect(card).toEqual({ name: 'Hammer2.1-7b', ...choices });
  });

  it('refuses a context that the model was not trained for', () => {
    const tooLong = () => readCard('h', 'gguf', hammer, { contextTokens: 40_000 });
    expect(tooLong).toThrow('trained for 32768 tokens');
  });
});
