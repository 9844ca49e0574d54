import type { PyValue } from '#libs/pyjson';
import { checkAst } from './check-ast.js';
import type { BfclEntry } from './read-bfcl.js';
import { unjudgeable, type Verdict, verdictOf } from './verdict.js';

export interface JudgedCall {
  readonly name: string;
  readonly arguments: PyValue;
}

/**
 * The verdict on a model's answer to an entry. In irrelevance sets the one right thing is to call nothing: anything but
 * well-formed calls counts as that, as in the original. Elsewhere `checkAst` decides.
 *
 * @param calls undefined if the model's text could not be decoded
 * @throws HammerlineError `invalid_request` as `checkAst`, and for an entry without right calls in other categories
 */
export function judgeAnswer(
  entry: BfclEntry,
  category: string,
  calls: readonly JudgedCall[] | undefined,
): Verdict {
  const isWellFormed = calls?.every((call) => call.arguments instanceof Map) ?? false;
  if (category.includes('irrelevance')) {
    const hasCall = isWellFormed && calls !== undefined && calls.length > 0;
    return verdictOf(hasCall ? 'irrelevance_error:decoder_success' : undefined);
  }
  const { functions, groundTruth: answers } = entry;
  if (answers === undefined) throw unjudgeable('/groundTruth', `is missing in ${entry.id}`);
  if (calls === undefined) return verdictOf('ast_decoder:decoder_failed');
  if (!isWellFormed) return verdictOf('ast_decoder:decoder_wrong_output_format');
  const decoded = calls.map((call) => new Map([[call.name, call.arguments]]));
  return checkAst({ functions, calls: decoded, answers, category });
}
