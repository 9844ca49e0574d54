import { describe, expect, it } from 'vitest';
import { sealToolsSamples } from '../../../test/support/training-samples.js';
import { irrelevanceRows } from './irrelevance.js';
import { readSample, type Sample } from './sample.js';

const rows = sealToolsSamples().map((row, id) => ({ ...row, id }));

function rowOf(tools: readonly string[], answers: readonly string[]): Sample {
  return {
    query: 'q',
    tools: JSON.stringify(tools.map((name) => ({ name, parameters: {} }))),
    answers: JSON.stringify(answers.map((name) => ({ name, arguments: {} }))),
  };
}

describe('irrelevanceRows', () => {
  it.each([-1, 1, NaN])('refuses the share %d', (share) => {
    expect(() => irrelevanceRows([], { seed: 1, share })).toThrow('/share');
  });

  it('takes the tools away that the answers call, and keeps query and other tools', () => {
    const added = irrelevanceRows(rows, { seed: 1 });
    for (const row of added) {
      const source = rows[row.id] as Sample;
      const { tools, answers } = readSample(source);
      const called = new Set(answers.map(({ name }) => name));
      const rest = tools.filter(({ name }) => !called.has(name));
      expect(row.answers).toBe('[]');
      expect(row.query).toBe(source.query);
      expect(rest.length).toBeGreaterThan(0);
      expect(readSample(row).tools).toEqual(rest);
    }
  });

  it.each([0, 0.1, 0.3])('makes %d of all rows', (share) => {
    const added = irrelevanceRows(rows, { seed: 1, share });
    expect(added).toHaveLength(Math.round((share / (1 - share)) * rows.length));
    expect(new Set(added.map(({ id }) => id)).size).toBe(added.length);
  });

  it('counts the rows without answer that are there', () => {
    const row = rowOf(['a', 'b'], ['a']);
    const without = rowOf(['a'], []);
    const given = [...Array.from({ length: 15 }, () => row), without, without];
    expect(irrelevanceRows(given, { seed: 1, share: 0.25 })).toHaveLength(3);
    expect(irrelevanceRows(given, { seed: 1, share: 0.1 })).toEqual([]);
  });

  it('takes any row, by the seed', () => {
    const ids = (seed: number): number[] => irrelevanceRows(rows, { seed }).map(({ id }) => id);
    expect(ids(1)).toEqual(ids(1));
    expect(ids(1)).not.toEqual(ids(2));
    expect(Math.max(...ids(1)) - Math.min(...ids(1))).toBeGreaterThan(600);
  });

  it('leaves rows out whose tools are all called, and says if too few are left', () => {
    const given = [rowOf(['a', 'a', 'b'], ['b', 'a']), rowOf(['a', 'b', 'a'], ['a'])];
    expect(irrelevanceRows(given, { seed: 1, share: 1 / 3 })).toEqual([
      { query: 'q', tools: '[{"name": "b", "parameters": {}}]', answers: '[]' },
    ]);
    expect(() => irrelevanceRows(given, { seed: 1, share: 0.5 })).toThrow(
      '2 rows without answer are wanted, 1 can be made',
    );
  });
});
