import { describe, expect, it } from 'vitest';
import { readCard } from './read-card.js';

const hammer = { contextTokens: 32_768, endTokens: ['<|im_end|>', '<|endoftext|>'] };

describe('readCard', () => {
  it('knows a Hammer model by its name', () => {
    expect(readCard({ name: 'Hammer2.1-7b', format: 'safetensors', ...hammer })).toEqual({
      name: 'Hammer2.1-7b',
      flavour: 'bfcl-2.1',
      maxCalls: 8,
      contextTokens: 16_384,
      stop: ['<|im_end|>', '<|endoftext|>'],
      maskTrained: true,
      chat: true,
      confidenceThreshold: 1,
    });
  });

  it('asks any other with our prompt, and promises nothing of it', () => {
    const card = readCard({
      name: 'qwen',
      format: 'gguf',
      contextTokens: 2_048,
      endTokens: ['</s>', ''],
    });
    expect(card).toMatchObject({
      flavour: 'compact',
      contextTokens: 2_048,
      maskTrained: false,
      chat: false,
    });
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
    const card = readCard({ name: 'Hammer2.1-7b', format: 'gguf', ...hammer }, choices);
    expect(card).toEqual({ name: 'Hammer2.1-7b', ...choices, chat: true });
  });

  it('refuses a context that the model was not trained for', () => {
    const tooLong = () =>
      readCard({ name: 'h', format: 'gguf', ...hammer }, { contextTokens: 40_000 });
    expect(tooLong).toThrow('trained for 32768 tokens');
  });

  it.each([
    [['Hammer2.0-7b', 'h'], 'bfcl-2.0'],
    [['model', 'Hammer2.1 1.5b'], 'bfcl-2.1'],
    [[undefined, 'model'], 'bfcl-1.0'],
  ])('of %j asks the first Hammer model, then the name itself', (aliases, flavour) => {
    const card = readCard({ name: 'Hammer-7b', aliases, format: 'gguf', ...hammer });
    expect(card).toMatchObject({ name: 'Hammer-7b', flavour, maskTrained: true });
  });

  it('says that no card can hold a model', () => {
    const tiny = () => readCard({ name: 'tiny', format: 'gguf', ...hammer, contextTokens: 64 });
    expect(tiny).toThrow(/tiny.*contextTokens/);
    const stops = Array.from({ length: 12 }, (_, at) => `<${at}>`);
    const card = readCard({ name: 'h', format: 'gguf', ...hammer, endTokens: stops });
    expect(card.stop).toHaveLength(8);
  });
});
