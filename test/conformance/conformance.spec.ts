import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { differences } from './differences.js';
import { runVectors } from './run-vectors.js';
import { suites } from './suites.js';

const vectors = path.resolve(import.meta.dirname, '../vectors');

// The evaluators' files have no suite yet.
const implemented = suites.flatMap(({ file, run }) => (run === undefined ? [] : [{ file, run }]));

describe('golden vectors of the original code', () => {
  it.each(implemented)('$file', ({ file, run }) => {
    const report = runVectors(run, readFileSync(path.join(vectors, file), 'utf8'));
    expect(report.mismatches).toEqual([]);
    expect(report.total).toBeGreaterThan(30);
  });

  it('are run of prompts, parsers and masking', () => {
    expect(implemented).toHaveLength(3);
  });
});

describe('runVectors', () => {
  it('counts a case that differs, one that throws, and a line that is no case', () => {
    const run = (vector: ReadonlyMap<string, unknown>) => {
      if (vector.get('id') === 'throws') throw new Error('why');
      return vector.get('id') === 'differs' ? { expected: 'a', actual: 'b' } : undefined;
    };
    const text = '{"id": "agrees"}\n{"id": "differs"}\n\n{"id": "throws"}\n5\n{oops\n';
    const { total, mismatches } = runVectors(run, text);
    expect(total).toBe(5);
    expect(mismatches.map(({ id }) => id)).toEqual(['differs', 'throws', 'line 4', 'line 5']);
  });
});

it('an empty file of vectors is no pass', () => {
  expect(runVectors(() => undefined, '\n').mismatches).toHaveLength(1);
});

describe('differences', () => {
  it('shows the lines that differ, from a little before where they do', () => {
    expect(differences('same\nleft \nx', 'same\nleft\nx')).toEqual([
      'line 2, character 1:',
      '- "left "',
      '+ "left"',
    ]);
    const [where, , right] = differences(`${'a'.repeat(500)}b`, `${'a'.repeat(500)}c`);
    expect(where).toBe('line 1, character 441:');
    expect(right).toBe(`+ "${'a'.repeat(60)}c"`);
  });

  it('shows lines that only one side has', () => {
    expect(differences('a', 'a\nb')).toEqual(['line 2, character 1:', '+ "b"']);
  });
});
