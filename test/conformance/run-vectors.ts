import { loads, type PyDict } from '#libs/pyjson';
import type { Mismatch, Suite } from './suite.js';

export interface VectorReport {
  readonly total: number;
  readonly mismatches: readonly (Mismatch & { readonly id: string })[];
}

/**
 * Runs the cases of a vector file, one JSON object a line. A case that throws is a mismatch, and so is a line that is
 * no case.
 */
export function runVectors(run: NonNullable<Suite['run']>, text: string): VectorReport {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length === 0) {
    const nothing = { id: 'the file', expected: 'at least one case', actual: 'no case' };
    return { total: 1, mismatches: [nothing] };
  }
  const mismatches = lines.flatMap((line, index) => {
    let id = `line ${index + 1}`;
    try {
      const vector = loads(line);
      if (!(vector instanceof Map)) throw new TypeError('the line is no JSON object');
      id = readId(vector) ?? id;
      const mismatch = run(vector);
      return mismatch === undefined ? [] : [{ id, ...mismatch }];
    } catch (error) {
      const actual = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      return [{ id, expected: 'no error', actual }];
    }
  });
  return { total: lines.length, mismatches };
}

function readId(vector: PyDict): string | undefined {
  const id = vector.get('id');
  return typeof id === 'string' ? id : undefined;
}
