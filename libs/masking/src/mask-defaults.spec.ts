import { describe, expect, it } from 'vitest';
import { dumps, type PyValue, str } from '#libs/pyjson';
import { bfclSamples, sampleOf } from '../../../test/support/training-samples.js';
import { maskSample, type MaskingMode } from './mask-sample.js';
import { maskingFaults } from './masking-faults.js';
import { mention } from './mention.js';
import { Random } from './random.js';
import { readSample, type Sample } from './sample.js';

/** The masked schemas, arguments in the order of the parameters, and query of a sample of `sampleOf`. */
function maskOne(sample: Sample, mode: MaskingMode, seed = 1) {
  const masked = maskSample(sample, new Random(seed), mode);
  expect(maskingFaults(sample, masked, mode)).toEqual([]);
  const { tools, answers } = readSample(masked);
  const [tool] = tools;
  return {
    query: masked.query,
    schemas: [...(tool?.parameters.values() ?? [])].map((schema) => Object.fromEntries(schema)),
    calls: answers.map((call) => [...call.arguments.values()]),
  };
}

describe.each<MaskingMode>(['strict', 'corrected'])('maskDefaults, %s', (mode) => {
  it('changes a default that is used: in the schema, its description, the answers and the query', () => {
    const sample = sampleOf(
      {
        unit: { description: "'km' (default), 'mi'", default: 'km' },
        n: { description: '3 or 1', default: 1 },
      },
      [
        { unit: 'km', n: 2 },
        { unit: 'mi', n: 2 },
      ],
      'How many km? KM!',
    );
    const { query, schemas, calls } = maskOne(sample, mode);
    const fresh = str(schemas[0]?.default);
    expect(fresh).toMatch(/^[A-Za-z0-9_.]{5}$/);
    expect(schemas).toEqual([
      { description: `'${fresh}' (default), 'mi'`, default: fresh },
      { description: '3 or 1', default: 1 },
    ]);
    expect(calls).toEqual([
      [fresh, 2],
      ['mi', 2],
    ]);
    expect(query).toBe(`How many ${fresh}? ${mode === 'strict' ? fresh.toUpperCase() : fresh}!`);
  });

  it('does not touch lists, objects, nulls and empty texts as defaults', () => {
    const schema = (value: unknown) => ({ description: '', default: value });
    const values = { a: [1], b: { k: 1 }, c: null, d: '' };
    const parameters = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, schema(value)]),
    );
    expect(maskOne(sampleOf(parameters, [values]), mode).calls).toEqual([
      [[1], new Map([['k', 1]]), null, ''],
    ]);
  });
});

describe('maskDefaults, strict only', () => {
  it('replaces numbers within numbers and words within words', () => {
    const sample = sampleOf(
      { n: { default: 1 }, city: { default: 'ark' } },
      [{ n: 1, city: 'ark' }],
      'A park in 2010: ARK, Ark',
    );
    const { query, calls } = maskOne(sample, 'strict');
    const [n, city] = (calls[0] ?? []).map(str);
    expect(query).toBe(
      `A p${city} in 20${n}0: ${city?.toUpperCase()}, ${city?.charAt(0).toUpperCase()}${city?.slice(1).toLowerCase()}`,
    );
  });

  it('replaces once for each answer, also in what it has put there', () => {
    const sample = sampleOf({ n: { default: 0 } }, [{ n: 0 }, { n: 0 }], '0');
    for (let seed = 0; seed < 9; seed++) {
      const { query, calls } = maskOne(sample, 'strict', seed);
      expect(query).toBe(str(calls[0]?.[0]));
    }
    const text = sampleOf({ s: { default: 'a' } }, [{ s: 'a' }, { s: 'a' }], 'a');
    const lengths = Array.from(
      { length: 300 },
      (_, seed) => maskOne(text, 'strict', seed).query.length,
    );
    expect(Math.max(...lengths)).toBeGreaterThan(5);
  });

  it('compares as Python does: a text for use, == for the labels, True with 1 and 1.0', () => {
    const values = ['1', 1, 1.5, true];
    const sample = sampleOf(
      { n: { default: 1 } },
      values.map((n) => ({ n })),
    );
    const float = { ...sample, answers: sample.answers.replace('1.5', '1.0') };
    const { calls, schemas } = maskOne(float, 'strict');
    const fresh = schemas[0]?.default;
    expect(fresh).toBeTypeOf('number');
    expect(calls).toEqual([['1'], [fresh], [fresh], [fresh]]);
  });

  it('changes a default that is used as text only, and no label', () => {
    const { schemas, calls } = maskOne(
      sampleOf({ n: { default: '5' } }, [{ n: 5 }], '5'),
      'strict',
    );
    expect(schemas[0]?.default).toMatch(/^.{5}$/);
    expect(calls).toEqual([[5]]);
  });

  it('makes a float of a bool', () => {
    const { schemas, calls } = maskOne(
      sampleOf({ b: { description: 'True.', default: true } }, [{ b: true }]),
      'strict',
    );
    expect(dumps(schemas[0]?.default)).toMatch(/^1\.\d+$/);
    expect(calls).toEqual([[schemas[0]?.default]]);
    expect(schemas[0]?.description).toBe(`${str(schemas[0]?.default)}.`);
  });
});

describe('maskDefaults, corrected only', () => {
  it.each([
    ['a bool', { default: true }, true, ''],
    ['a text for an int', { default: '5' }, 5, ''],
    ['a value of an enum', { default: 'km', enum: ['km', 'mi'] }, 'km', ''],
    ['a number said otherwise', { default: 3 }, 3, 'three months'],
    ['marks only', { default: ' ' }, ' ', 'a b c'],
    ['a word said otherwise', { default: 'dog' }, 'dog', 'my dogs'],
  ])('leaves %s alone', (_, schema, value, query) => {
    const sample = sampleOf({ a: schema }, [{ a: value }], query);
    for (let seed = 0; seed < 20; seed++) {
      const masked = maskOne(sample, 'corrected', seed);
      expect(masked.calls).toEqual([[value]]);
      expect(masked.query).toBe(query);
      expect(masked.schemas[0]?.default).toEqual(schema.default);
    }
  });

  it('leaves a default alone that another argument shares in the query', () => {
    const parameters = { a: { default: 5 }, b: {} };
    const shared = sampleOf(parameters, [{ a: 5, b: 'from 5 to 9' }], 'from 5 to 9');
    expect(maskOne(shared, 'corrected').calls).toEqual([[5, 'from 5 to 9']]);
    const unsaid = sampleOf(parameters, [{ a: 5, b: 5 }], 'as ever');
    expect(maskOne(unsaid, 'corrected').calls).not.toEqual([[5, 5]]);
  });

  it('draws a value that stands nowhere else, or leaves the default alone', () => {
    const parameters = { a: { description: 'Not 6.', default: 5 }, b: {} };
    const sample = sampleOf(parameters, [{ a: 5, b: 8 }], '5 by 7');
    for (let seed = 0; seed < 20; seed++) {
      expect(maskOne(sample, 'corrected', seed)).toMatchObject({
        query: '9 by 7',
        calls: [[9, 8]],
      });
    }
    const nested = sampleOf(parameters, [{ a: 5, b: [{ 8: 9 }] }], '5 by 7');
    expect(maskOne(nested, 'corrected').query).toBe('5 by 7');
    const full = { ...sample, query: '5 by 7 and 9' };
    expect(maskOne(full, 'corrected')).toMatchObject({ query: full.query, calls: [[5, 8]] });
  });

  it('draws no text that holds another label', () => {
    const sample = sampleOf({ a: { default: 'km' }, b: {} }, [{ a: 'km', b: 'x' }], 'x km');
    for (let seed = 0; seed < 60; seed++) {
      expect(str(maskOne(sample, 'corrected', seed).calls[0]?.[0])).not.toMatch(/x/i);
    }
  });

  it('keeps what the query says of each label, and types', () => {
    let changed = 0;
    const broken: string[] = [];
    for (const [index, sample] of bfclSamples().entries()) {
      if (index % 2 > 0) continue;
      const masked = maskSample(sample, new Random(index), 'corrected');
      if (masked.query === sample.query) continue;
      const before = labels(sample);
      const after = labels(masked);
      expect(after).toHaveLength(before.length);
      for (const [at, old] of before.entries()) {
        const fresh = after[at] ?? null;
        const isKept =
          kind(fresh) === kind(old) &&
          mention(masked.query, str(fresh)) === mention(sample.query, str(old));
        if (!isKept) broken.push(sample.query);
        if (dumps(fresh) !== dumps(old)) changed++;
      }
    }
    expect(broken).toEqual([]);
    expect(changed).toBeGreaterThan(200);
  });
});

/** The values of all answers in an order that masking keeps. */
function labels(sample: Sample): PyValue[] {
  const { tools, answers } = readSample(sample);
  return answers.flatMap((call) => {
    const tool = tools.find(({ name }) => name === call.name);
    return [...(tool?.parameters.keys() ?? [])].flatMap((name) => call.arguments.get(name) ?? []);
  });
}

function kind(value: PyValue): string {
  return value === null ? 'null' : value.constructor.name;
}
