import { masking } from './masking.js';
import { parse } from './parse.js';
import { prompts } from './prompts.js';
import type { Suite } from './suite.js';

/** The evaluators' files come with libs/evals: until then nothing runs them. */
export const suites: readonly Suite[] = [
  prompts,
  parse,
  masking,
  { file: 'ast_checker.jsonl' },
  { file: 'bfcl_convert.jsonl' },
  { file: 'bfcl_e2e.jsonl' },
  { file: 'bfcl_scores.jsonl' },
  { file: 'eval_f1.jsonl' },
];
