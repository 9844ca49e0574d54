import { describe, expect, it } from 'vitest';
import { decisionConfidence } from './confidence.js';

/** Tokens from `text|probability` pieces; 1 where none is given. */
function tokens(...pieces: (string | [string, number])[]) {
  return pieces.map((piece) => {
    const [text, probability] = typeof piece === 'string' ? [piece, 1] : piece;
    return { text, logprob: Math.log(probability) };
  });
}

describe('decisionConfidence', () => {
  it('is the probability of the refusal', () => {
    expect(decisionConfidence(tokens('[', [']', 0.7]))).toBeCloseTo(0.7);
  });

  it('multiplies the decision to call and the tokens of the name', () => {
    const answer = tokens(
      '[',
      ['{"', 0.9],
      'name',
      '":',
      ' "',
      ['send', 0.8],
      ['_', 0.5],
      'message',
      '",',
    );
    expect(
      decisionConfidence([...answer, ...tokens(' "', 'arguments', '": {}', '}]')]),
    ).toBeCloseTo(0.36);
  });

  it('counts the quote that ends a name', () => {
    const answer = tokens('[{"name": "', 'send', ['", "', 0.5], 'arguments": {}}]');
    expect(decisionConfidence(answer)).toBeCloseTo(0.5);
  });

  it('leaves out arguments, even one that is called name or holds brackets', () => {
    const answer = tokens(
      '[{"name": "a", "arguments": {"',
      ['name', 0.1],
      '": "',
      ['Dana [{', 0.1],
      '", "b": [{"name": "',
      ['x', 0.1],
      '"}]',
      '}}]',
    );
    expect(decisionConfidence(answer)).toBe(1);
  });

  it('takes every call of a list and the decision to end it', () => {
    const call = (name: string, probability: number) =>
      tokens('{"name": "', [name, probability], '"', ', "arguments": {}}');
    const answer = [
      ...tokens('['),
      ...call('a', 0.9),
      ...tokens([', ', 0.8]),
      ...call('b', 0.5),
      ...tokens([']', 0.9]),
    ];
    expect(decisionConfidence(answer)).toBeCloseTo(0.9 * 0.8 * 0.5 * 0.9);
  });

  it('reads escaped quotes in names', () => {
    const answer = tokens(
      '[{"name": "a\\',
      ['"', 0.5],
      ['b', 0.5],
      '"',
      ', "arguments": {"c": "',
      ['d', 0.1],
      '"}}]',
    );
    expect(decisionConfidence(answer)).toBeCloseTo(0.25);
  });

  it('stays within 0 and 1', () => {
    expect(decisionConfidence([{ text: '[]', logprob: 1e-9 }])).toBe(1);
    expect(decisionConfidence([{ text: '[]', logprob: -Infinity }])).toBe(0);
  });

  it('is 0 for what is not a list', () => {
    expect(decisionConfidence([])).toBe(0);
    expect(decisionConfidence(tokens('Sure'))).toBe(0);
    expect(decisionConfidence(tokens('{"name": "a"}'))).toBe(0);
  });
});
