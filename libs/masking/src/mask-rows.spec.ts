import { describe, expect, it } from 'vitest';
import { countBy, looksUniform } from '../../../test/support/chi-square.js';
import { sealToolsSamples } from '../../../test/support/training-samples.js';
import { maskLengths, symbols } from './alphabet.js';
import { maskRows, trainingRows } from './mask-rows.js';
import { maskingFaults } from './masking-faults.js';
import { readSample, type Sample } from './sample.js';

const rows = sealToolsSamples();
const many = Array.from({ length: 6 }, () => rows).flat();
const masked = [...maskRows(many, { seed: 12 })];
const pairs = many
  .map((before, index) => ({ before, after: masked[index] ?? before }))
  .filter(({ before, after }) => before !== after);
const maskedTools = pairs.flatMap(({ after }) => readSample(after).tools);
const functions = maskedTools.map(({ name }) => name);
const parameters = maskedTools.flatMap((tool) => [...tool.parameters.keys()]);

function lengths(names: readonly string[], [least, most]: readonly [number, number]): number[] {
  const cells = Array.from({ length: most - least + 1 }, (_, index) => least + index);
  const counts = countBy(
    names.map((name) => name.length),
    cells,
  );
  expect(counts).toHaveLength(cells.length);
  return counts;
}

describe('maskRows', () => {
  it('masks two rows in three, and gives the others as they are', () => {
    const share = pairs.length / many.length;
    const deviation = Math.sqrt(((2 / 3) * (1 / 3)) / many.length);
    expect(Math.abs(share - 2 / 3)).toBeLessThan(3 * deviation);
    const faulty = pairs.filter(({ before, after }) => maskingFaults(before, after).length > 0);
    expect(faulty).toEqual([]);
  });

  it('takes another share', () => {
    expect([...maskRows(rows, { seed: 1, share: 0 })]).toEqual(rows);
    const all = [...maskRows(rows, { seed: 1, share: 1 })];
    expect(all.filter((row, index) => row === rows[index])).toEqual([]);
  });

  it('draws every length equally often', () => {
    expect(looksUniform(lengths(functions, maskLengths.function))).toBe(true);
    expect(looksUniform(lengths(parameters, maskLengths.parameter))).toBe(true);
  });

  it.each([
    ['functions', functions],
    ['parameters', parameters],
  ])('draws every symbol equally often, %s, also in front', (_, names) => {
    const counts = countBy(names.join(''), symbols);
    expect(counts).toHaveLength(64);
    expect(looksUniform(counts)).toBe(true);
    expect(
      looksUniform(
        countBy(
          names.map((name) => name.charAt(0)),
          symbols,
        ),
      ),
    ).toBe(true);
  });

  it('puts the tools in every order equally often', () => {
    const orders = pairs.flatMap(({ before, after }) => {
      const old = readSample(before).tools.map(({ record }) => record.get('description'));
      if (new Set(old).size !== 5) return [];
      const fresh = readSample(after).tools.map(({ record }) => record.get('description'));
      return [fresh.map((description) => old.indexOf(description)).join('')];
    });
    const counts = countBy(orders, []);
    expect(counts).toHaveLength(120);
    expect(looksUniform(counts)).toBe(true);
  });

  it('gives each row fresh names', () => {
    expect(new Set(functions).size).toBe(functions.length);
  });

  it('gives the same for the same seed, part by part or at once', () => {
    const part = [...maskRows(many.slice(700, 900), { seed: 12 }, 700)];
    expect(part).toEqual(masked.slice(700, 900));
    const other = [...maskRows(rows, { seed: 13 })];
    expect(other).not.toEqual(masked.slice(0, rows.length));
  });

  it('names the row that is not in the form of samples', () => {
    const bad: Sample = { query: '', tools: '{}', answers: '[]' };
    expect(() => [...maskRows([...rows.slice(0, 2), bad], { seed: 1, share: 1 })]).toThrow(
      '/2/tools: holds no list',
    );
  });

  it.each([-0.1, 1.1, NaN])('refuses the share %d', (share) => {
    expect(() => [...maskRows(rows, { seed: 1, share })]).toThrow('/share');
  });

  it('names a field that is no text', () => {
    const row = {} as Sample;
    expect(() => [...maskRows([row], { seed: 1, share: 1 })]).toThrow('/0/tools: is no text');
  });

  it('keeps rows without answer without answer', () => {
    const row = { ...(rows[0] as Sample), answers: '[]' };
    const [without] = maskRows([row], { seed: 1, share: 1, mode: 'corrected' });
    expect(without?.answers).toBe('[]');
    expect(maskingFaults(row, without ?? row, 'corrected')).toEqual([]);
  });
});

describe('trainingRows', () => {
  const numbered = rows.slice(0, 200).map((row, id) => ({ ...row, id }));
  const training = [...trainingRows(numbered, { seed: 12 })];
  const ids = (copy: number): number[] =>
    training.slice(copy * 200, copy * 200 + 200).map(({ id }) => id);

  it('holds three copies of all rows, each in an order of its own', () => {
    expect(training).toHaveLength(600);
    const sorted = numbered.map(({ id }) => id);
    for (const copy of [0, 1, 2]) expect(ids(copy).toSorted((a, b) => a - b)).toEqual(sorted);
    expect(new Set([sorted, ids(0), ids(1), ids(2)].map(String)).size).toBe(4);
  });

  it('masks each copy anew', () => {
    const tools = training.filter(({ id }) => id === 7).map((row) => row.tools);
    const fresh = tools.filter((text) => text !== numbered[7]?.tools);
    expect(new Set(fresh).size).toBe(fresh.length);
    expect(training.filter((row) => row === numbered[row.id]).length).toBeLessThan(260);
  });

  it('names a faulty row by its place in what was given', () => {
    const faulty = numbered.map((row) => (row.id === 7 ? { ...row, tools: '5' } : row));
    const options = { seed: 12, share: 1, copies: 3 };
    expect(() => [...trainingRows(faulty, options)]).toThrow('/7/tools');
  });

  it('takes another number of copies', () => {
    expect([...trainingRows(numbered, { seed: 1, copies: 1, share: 0 })].length).toBe(200);
  });
});
