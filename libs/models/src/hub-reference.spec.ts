import { describe, expect, it } from 'vitest';
import { parseReference } from './hub-reference.js';

const hub = 'https://hub.example.com/mirror';
const repository = 'MadeAgents/Hammer2.1-1.5b';
const whole = { kind: 'hub', repository, revision: 'main', file: undefined };

describe('parseReference', () => {
  it.each<[string, object]>([
    [repository, whole],
    [`${repository}@v1`, { ...whole, revision: 'v1' }],
    [`${repository}@refs/pr/3:q/h.gguf`, { ...whole, revision: 'refs/pr/3', file: 'q/h.gguf' }],
    [`${repository}:Q4_K_M`, { ...whole, file: 'Q4_K_M' }],
    [`${hub}/${repository}`, whole],
    [`${hub}/${repository}/tree/v1`, { ...whole, revision: 'v1' }],
    [`${hub}/${repository}/blob/main/a/h.gguf`, { ...whole, file: 'a/h.gguf' }],
    [
      `https://huggingface.co/${repository}/resolve/refs%2Fpr%2F3/h.gguf?download=true`,
      { ...whole, revision: 'refs/pr/3', file: 'h.gguf' },
    ],
    [
      'https://hub.example.com/mirror2/h.gguf',
      { kind: 'url', url: new URL('https://hub.example.com/mirror2/h.gguf') },
    ],
    ['https://example.com/h.gguf', { kind: 'url', url: new URL('https://example.com/h.gguf') }],
  ])('reads %s', (text, reference) => {
    expect(parseReference(text, hub)).toEqual(reference);
  });

  it.each([
    'hammer',
    'a/b/c',
    '../b',
    'a/..',
    `${repository}:../../etc/passwd`,
    `${repository}:/etc/passwd`,
    String.raw`${repository}:a\b.gguf`,
    `${hub}/${repository}/resolve/main/%2e%2e%2f%2e%2e%2fx.gguf`,
    `${hub}/${repository}/resolve/main/%zz.gguf`,
    `${hub}/datasets`,
    `${hub}/${repository}/discussions`,
    'https://[',
    '',
  ])('refuses %j', (text) => {
    expect(() => parseReference(text, hub)).toThrow(
      expect.objectContaining({ code: 'invalid_request' }) as Error,
    );
  });
});
