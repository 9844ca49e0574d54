import { invalidRequest } from '#libs/contracts';
import { shareFault } from './mask-rows.js';
import { Random } from './random.js';
import { readSample, type Sample, writeTools } from './sample.js';

/**
 * Rows in which no tool fits, made of others as in the Hammer paper: all tools that the answers call are taken away, the
 * others stay, and the answers become `[]`. Each row is used at most once.
 *
 * @param share of all rows, given ones and new ones, that shall have no answer; the paper found 10 % best
 * @returns the new rows, as many as the given ones lack
 * @throws HammerlineError `invalid_request` for a row not in the form of {@link Sample}, or if too few rows have an
 *   answer and a tool that it does not call
 */
export function irrelevanceRows<S extends Sample>(
  rows: readonly S[],
  { seed, share = 0.1 }: { readonly seed: number | string; readonly share?: number },
): S[] {
  // All rows without an answer cannot be reached by adding some.
  if (!(share >= 0 && share < 1)) throw shareFault(share);
  const sources: S[] = [];
  let existing = 0;
  for (const [index, row] of rows.entries()) {
    const { tools, answers } = readSample(row, `/${index}`);
    const called = new Set(answers.map(({ name }) => name));
    const rest = tools.filter(({ name }) => !called.has(name));
    if (answers.length === 0) existing++;
    else if (rest.length > 0) sources.push({ ...row, tools: writeTools(rest), answers: '[]' });
  }
  const wanted = Math.max(0, Math.round((share * rows.length - existing) / (1 - share)));
  if (wanted > sources.length) {
    throw invalidRequest({
      pointer: '',
      detail: `${wanted} rows without answer are wanted, ${sources.length} can be made`,
      mend: 'give more rows with an answer and a tool that it does not call, or ask for less',
    });
  }
  return new Random(seed).fork('irrelevance').shuffle(sources).slice(0, wanted);
}
