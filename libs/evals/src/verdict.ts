import { type HammerlineError, invalidRequest } from '#libs/contracts';

/** Why an answer is wrong, in BFCL's own words. */
export type AstErrorType =
  | `simple_function_checker:${'wrong_count' | 'wrong_func_name' | 'missing_required' | 'unexpected_param' | 'missing_optional'}`
  | 'multiple_function_checker:wrong_count'
  | `parallel_function_checker_no_order:${'wrong_count' | 'cannot_find_match'}`
  | `type_error:${'simple' | 'nested'}`
  | `value_error:${'string' | 'list/tuple' | 'dict_key' | 'dict_value' | 'list_dict_count' | 'others'}`
  | 'dict_checker:unclear'
  | 'list_dict_checker:unclear'
  | `ast_decoder:${'decoder_failed' | 'decoder_wrong_output_format'}`
  | 'irrelevance_error:decoder_success';

/** `sub`: for `cannot_find_match`, the calls that were tried by their index, and what was wrong with each. */
export type Verdict =
  | { readonly valid: true }
  | {
      readonly valid: false;
      readonly errorType: AstErrorType;
      readonly sub?: readonly (readonly [number, AstErrorType])[];
    };

export function verdictOf(errorType: AstErrorType | undefined): Verdict {
  return errorType === undefined ? { valid: true } : { valid: false, errorType };
}

/** Data that no verdict can be given on; the original crashes on it. */
export function unjudgeable(pointer: string, detail: string): HammerlineError {
  return invalidRequest({ pointer, detail, mend: "write it in BFCL's format" });
}
