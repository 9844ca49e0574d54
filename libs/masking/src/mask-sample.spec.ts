import { describe, expect, it } from 'vitest';
import { HammerlineError } from '#libs/contracts';
import { dumps, type PyDict } from '#libs/pyjson';
import { fuzzRuns } from '../../../test/support/fuzz.js';
import { bfclSamples, sealToolsSamples, sampleOf } from '../../../test/support/training-samples.js';
import { maskSample, type MaskingMode } from './mask-sample.js';
import { maskingFaults } from './masking-faults.js';
import { Random } from './random.js';
import { readSample, type Sample } from './sample.js';

const modes: readonly MaskingMode[] = ['strict', 'corrected'];
const samples = [...sealToolsSamples(), ...bfclSamples()];

describe.each(modes)('maskSample, %s', (mode) => {
  it('has the properties of the specification on thousands of samples', () => {
    const passes = Math.ceil(fuzzRuns() / 1000);
    let rewritten = 0;
    const faults: string[] = [];
    for (let seed = 0; seed < passes; seed++) {
      for (const [index, sample] of samples.entries()) {
        const masked = maskSample(sample, new Random(seed).fork(index), mode);
        faults.push(...maskingFaults(sample, masked, mode));
        if (masked.query !== sample.query) rewritten++;
      }
    }
    expect(faults).toEqual([]);
    expect(rewritten).toBeGreaterThan((passes * samples.length) / 3);
  });

  it('leaves no original name, and nothing else of tools but names, defaults and their texts', () => {
    for (const [index, sample] of samples.entries()) {
      if (index % 8 > 0) continue;
      const before = readSample(sample);
      const after = readSample(maskSample(sample, new Random(index), mode));
      const names = ({ tools }: typeof before): string[] =>
        tools.flatMap((tool) => [tool.name, ...tool.parameters.keys()]);
      const old = new Set(names(before));
      expect(names(after).filter((name) => old.has(name))).toEqual([]);
      const distinct = new Map(before.tools.toReversed().map((tool) => [tool.name, tool]));
      expect(after.tools.map(described).toSorted()).toEqual(
        [...distinct.values()].map(described).toSorted(),
      );
    }
  });

  it('gives the same for the same seed, and leaves the sample alone', () => {
    for (const sample of samples.slice(0, 50)) {
      const copy = { ...sample };
      const masked = maskSample(sample, new Random(5), mode);
      expect(maskSample(sample, new Random(5), mode)).toEqual(masked);
      expect(maskSample(sample, new Random(6), mode).tools).not.toBe(masked.tools);
      expect(sample).toEqual(copy);
    }
  });

  it('keeps the first of tools with the same name', () => {
    const tools = [
      { name: 'f', description: 'first', parameters: {} },
      { name: 'g', description: 'other', parameters: {} },
      { name: 'f', description: 'second', parameters: { a: {} } },
    ];
    const sample = { query: '', tools: dumps(tools), answers: '[]' };
    for (let seed = 0; seed < 20; seed++) {
      const masked = maskSample(sample, new Random(seed), mode);
      const texts = readSample(masked).tools.map(({ record }) => record.get('description'));
      expect(new Set(texts)).toEqual(new Set(['first', 'other']));
      expect(texts).toHaveLength(2);
      expect(masked.answers).toBe('[]');
    }
  });

  it('puts arguments in the order of the parameters, unknown ones in front under their names', () => {
    const sample = sampleOf({ a: {}, b: {}, c: {} }, [{ c: 3, x: 0, a: 1 }]);
    const { tools, answers } = readSample(maskSample(sample, new Random(1), mode));
    const [a, , c] = [...(tools[0]?.parameters.keys() ?? [])];
    expect([...(answers[0]?.arguments ?? [])]).toEqual([
      ['x', 0],
      [a, 1],
      [c, 3],
    ]);
  });

  it('draws no name that an unknown argument has', () => {
    const masked = maskSample(sampleOf({ a: {} }, [{ a: 1 }]), new Random(1), mode);
    const [mask = ''] = readSample(masked).tools[0]?.parameters.keys() ?? [];
    const unlucky = maskSample(sampleOf({ a: {} }, [{ a: 1, [mask]: 2 }]), new Random(1), mode);
    expect([...(readSample(unlucky).answers[0]?.arguments.values() ?? [])]).toEqual([2, 1]);
  });

  it('leaves a call of no tool as it is', () => {
    const sample = {
      ...sampleOf({ a: {} }, []),
      answers: '[{"name": "g", "arguments": {"a": 1}}]',
    };
    expect(maskSample(sample, new Random(1), mode).answers).toBe(sample.answers);
  });

  it('keeps ints and floats apart, writes ascii, and keeps other members in place', () => {
    const sample = {
      id: 7,
      query: 'größer',
      tools:
        '[{"description": "ö", "name": "f", "x": 1.0, "parameters": {"__proto__": {"type": "int"}}}]',
      answers:
        '[{"arguments": {"__proto__": 1.0}, "name": "f"}, {"name": "f", "arguments": {"__proto__": 9007199254740993}}]',
    };
    const masked = maskSample(sample, new Random(3), mode);
    const [name, parameter] =
      /"name": "(.*?)".*"parameters": \{"(.*?)"/.exec(masked.tools)?.slice(1) ?? [];
    expect(masked).toEqual({
      id: 7,
      query: 'größer',
      tools: `[{"description": "\\u00f6", "name": "${name}", "x": 1.0, "parameters": {"${parameter}": {"type": "int"}}}]`,
      answers: `[{"arguments": {"${parameter}": 1.0}, "name": "${name}"}, {"name": "${name}", "arguments": {"${parameter}": 9007199254740993}}]`,
    });
  });

  it.each([
    ['no JSON', { tools: '[' }, '/tools'],
    ['no list', { tools: '{}' }, '/tools'],
    ['a tool that is no object', { tools: '[1]' }, '/tools/0'],
    ['a tool without name', { tools: '[{"parameters": {}}]' }, '/tools/0/name'],
    ['a tool without parameters', { tools: '[{"name": "f"}]' }, '/tools/0/parameters'],
    [
      'a tool with a JSON Schema',
      { tools: '[{"name": "f", "parameters": {"type": "object", "properties": {}}}]' },
      '/tools/0/parameters/type',
    ],
    ['an answer without arguments', { answers: '[{"name": "f"}]' }, '/answers/0/arguments'],
  ])('refuses %s', (_, part, pointer) => {
    const mask = (): Sample =>
      maskSample({ query: '', tools: '[]', answers: '[]', ...part }, new Random(1), mode, '/9');
    expect(mask).toThrow(HammerlineError);
    expect(mask).toThrow(`/9${pointer}: `);
  });
});

/** A tool without names and with neither defaults nor descriptions of parameters, which masking may change. */
function described({ parameters, record }: { parameters: Map<string, PyDict>; record: PyDict }) {
  return dumps([
    record.get('description'),
    [...parameters.values()].map((schema) => [[...schema.keys()], schema.get('type') ?? null]),
  ]);
}
