/**
 * Every error that leaves a process carries one of these codes: in an RFC 9457 problem, on a run or on a call.
 * `status` is the HTTP status where the gateway answers with it; codes without one only appear on runs and calls.
 */
export const ERROR_CODES = {
  // the request
  malformed_body: { status: 400, retryable: false, title: 'The body is not a JSON object' },
  invalid_request: { status: 422, retryable: false, title: 'The request is not valid' },
  no_executor: { status: 422, retryable: false, title: 'A tool has no executor' },
  unknown_toolset: { status: 422, retryable: false, title: 'There is no such toolset' },
  idempotency_conflict: {
    status: 422,
    retryable: false,
    title: 'The Idempotency-Key was used with another body',
  },
  unauthorized: { status: 401, retryable: false, title: 'The API key is missing or unknown' },
  not_found: { status: 404, retryable: false, title: 'There is no such resource' },
  method_not_allowed: { status: 405, retryable: false, title: 'The method is not allowed here' },
  body_too_large: { status: 413, retryable: false, title: 'The body is too large' },
  unsupported_media_type: { status: 415, retryable: false, title: 'The body must be JSON' },
  not_possible: { status: 409, retryable: false, title: 'That cannot be done as things stand' },
  unavailable: { status: 503, retryable: true, title: 'The service cannot take this now' },
  internal: { status: 500, retryable: true, title: 'Something broke on our side' },
  // a turn
  model_unavailable: { retryable: true, title: 'The model cannot be reached or loaded' },
  model_overloaded: { retryable: true, title: 'The model has too much to do' },
  model_failed: { retryable: true, title: 'The model failed to answer' },
  model_refused: { retryable: false, title: 'The model server refuses to be asked so' },
  context_overflow: { retryable: false, title: 'The prompt is longer than the model can read' },
  invalid_call: { retryable: false, title: 'The model asked for a call that its tool refuses' },
  needs_input: { retryable: false, title: 'The request lacks what a tool requires' },
  turn_abandoned: { retryable: false, title: 'Every process that took the turn died' },
  budget_spent: { retryable: false, title: 'The run used up what it may use' },
  // a run
  cancelled: { retryable: false, title: 'The run was cancelled' },
  expired: { retryable: false, title: 'The run did not end before its deadline' },
  // a call
  approval_denied: { retryable: false, title: 'A person denied the call' },
  low_confidence: { retryable: false, title: 'The model was too unsure for a call with an effect' },
  invalid_arguments: { retryable: false, title: "The arguments do not fit the tool's schema" },
  tool_failed: { retryable: false, title: 'The tool failed' },
  tool_timeout: { retryable: false, title: 'The tool did not answer in time' },
  result_too_large: { retryable: false, title: 'The result of the tool is too large' },
  outcome_unknown: { retryable: false, title: 'Nobody knows whether the call took effect' },
  call_abandoned: { retryable: false, title: 'Every process that took the call died' },
  // start-up
  config_invalid: { retryable: false, title: 'The configuration is not valid' },
  ledger_unusable: { retryable: false, title: 'The ledger (Postgres) cannot be used' },
  redis_unusable: { retryable: false, title: 'Redis cannot be used' },
} as const satisfies Record<string, { status?: number; retryable: boolean; title: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** One fault in a request: where it is (JSON Pointer), what is wrong, and how to mend it. */
export interface Fault {
  pointer: string;
  detail: string;
  mend?: string;
}

/** An error as it is stored on a run or a call. */
export interface ErrorRecord {
  code: ErrorCode;
  message: string;
}

export class HammerlineError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly faults: readonly Fault[];

  constructor(
    code: ErrorCode,
    message: string,
    options: { retryable?: boolean; cause?: unknown; faults?: readonly Fault[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HammerlineError';
    this.code = code;
    this.retryable = options.retryable ?? ERROR_CODES[code].retryable;
    this.faults = options.faults ?? [];
  }
}

/** An `invalid_request` that names its faulty fields. */
export function invalidRequest(...faults: [Fault, ...Fault[]]): HammerlineError {
  const message = faults.map((fault) => `${fault.pointer || 'body'}: ${fault.detail}`).join('; ');
  return new HammerlineError('invalid_request', message, { faults });
}
