import { invalidRequest } from '#libs/contracts';
import type { PyDict } from '#libs/pyjson';
import { checkArgument } from './check-argument.js';
import { type CallValue, contains, dict, members } from './python.js';
import { type AstErrorType, unjudgeable, type Verdict, verdictOf } from './verdict.js';

export interface AstCheck {
  /** BFCL's documentation of the functions, as `loads` of #libs/pyjson reads it. */
  readonly functions: readonly PyDict[];
  /** Decoded calls, each `{name: {parameter: value}}`. */
  readonly calls: readonly CallValue[];
  /** Right calls, each `{name: {parameter: [accepted values]}}`; `""` marks a parameter that may be left out. */
  readonly answers: readonly PyDict[];
  readonly category: string;
  /** For models that cannot write a `.` in a name. Hammer can. */
  readonly dotsToUnderscore?: boolean;
}

/**
 * BFCL's AST checker for Python categories, verdict for verdict as in bfcl-eval 2026.3.23.
 *
 * @throws HammerlineError `invalid_request` for Java and JavaScript, and for data on which the original crashes: a call
 *   that is no object, an answer whose function is not documented, an unknown type
 */
export function checkAst(check: AstCheck): Verdict {
  const { functions, calls, answers, category } = check;
  if (category.includes('java')) {
    const detail = `the rules of ${JSON.stringify(category)} are not implemented`;
    throw invalidRequest({ pointer: '/category', detail, mend: 'give a Python category' });
  }
  if (category.includes('parallel')) return checkParallel(check);
  const [call = null] = calls;
  const [answer] = answers;
  if (category.includes('multiple')) {
    if (calls.length !== answers.length) return verdictOf('multiple_function_checker:wrong_count');
    return verdictOf(checkCall(call, documented(functions, answer), answer, check));
  }
  if (calls.length !== 1) return verdictOf('simple_function_checker:wrong_count');
  return verdictOf(checkCall(call, functions[0], answer, check));
}

/** Each answer takes the first call left that fits, even if a later answer needs that one. */
function checkParallel({ functions, calls, answers, ...options }: AstCheck): Verdict {
  if (calls.length !== answers.length) {
    return verdictOf('parallel_function_checker_no_order:wrong_count');
  }
  const left = [...calls.entries()];
  for (const answer of answers) {
    const description = documented(functions, answer);
    const sub: [number, AstErrorType][] = [];
    const match = left.findIndex(([index, call]) => {
      const error = checkCall(call, description, answer, options);
      if (error !== undefined) sub.push([index, error]);
      return error === undefined;
    });
    if (match === -1) {
      const errorType = 'parallel_function_checker_no_order:cannot_find_match';
      return { valid: false, errorType, sub };
    }
    left.splice(match, 1);
  }
  return { valid: true };
}

function documented(functions: readonly PyDict[], answer: PyDict | undefined): PyDict | undefined {
  const name = answer?.keys().next().value;
  return functions.find((description) => description.get('name') === name);
}

function checkCall(
  call: CallValue,
  description: PyDict | undefined,
  answer: PyDict | undefined,
  { dotsToUnderscore = false }: { dotsToUnderscore?: boolean },
): AstErrorType | undefined {
  const documentedName = description?.get('name');
  if (typeof documentedName !== 'string') {
    throw unjudgeable('/functions', 'lacks the function of an answer');
  }
  const parameters = dict(description?.get('parameters'), '/functions');
  const properties = dict(parameters.get('properties'), '/functions');
  const accepted = dict(answer?.values().next().value, '/answers');

  const name = dotsToUnderscore ? documentedName.replaceAll('.', '_') : documentedName;
  if (!contains(call, name, '/calls')) return 'simple_function_checker:wrong_func_name';
  const given = dict(call, '/calls').get(name);
  for (const required of members(parameters.get('required'), '/functions')) {
    if (typeof required !== 'string' || !contains(given, required, '/calls')) {
      return 'simple_function_checker:missing_required';
    }
  }
  const values = dict(given, '/calls');
  for (const [parameter, value] of values) {
    const property = properties.get(parameter);
    const answers = accepted.get(parameter);
    if (property === undefined || answers === undefined) {
      return 'simple_function_checker:unexpected_param';
    }
    const error = checkArgument(value, dict(property, '/functions'), members(answers, '/answers'));
    if (error !== undefined) return error;
  }
  for (const [parameter, answers] of accepted) {
    if (!values.has(parameter) && !contains(answers, '', '/answers')) {
      return 'simple_function_checker:missing_optional';
    }
  }
  return undefined;
}
