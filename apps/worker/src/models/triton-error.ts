import { type ErrorCode, HammerlineError } from '#libs/contracts';
import { TritonError } from '#libs/triton';

/** Whom an error is about. */
export interface TritonSubject {
  readonly server: string;
  readonly model: string;
  readonly lora: string | undefined;
}

interface Meaning {
  readonly code: ErrorCode;
  /** What was met, and what to do about it. */
  readonly what: string;
}

/** What a model of the vLLM backend's contract says of a request. Its words are those of vLLM 0.8 to 0.24. */
const MODEL_WORDS: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [
    /maximum model length|context (?:size|length)/i,
    'context_overflow',
    'shorten the request or the toolset',
  ],
  [
    /\blora\b/i,
    'model_refused',
    'set MODEL_LORA to an adapter of the model (multi_lora.json), or unset it',
  ],
  [
    // What the backend says of any sampling parameter that it does not know.
    /'NoneType' object has no attribute 'lora_name'/,
    'model_refused',
    'it does not know a sampling parameter: set GUIDED_DECODING to guided_decoding (containers before 25.11), structured_outputs or off',
  ],
  [
    /\bgrammar\b|structured.outputs?|guided.decoding|\bschema\b/i,
    'model_refused',
    'set GUIDED_DECODING to another value or to off',
  ],
  [/^Error generating stream: |request was cancelled/i, 'model_failed', 'look at its log'],
];

/** What an error of the client or the server means for a turn; what is no TritonError stays as it is. */
export function modelErrorOf(error: unknown, subject: TritonSubject): unknown {
  if (!(error instanceof TritonError)) return error;
  const { code, what } = meaningOf(error, subject);
  const server = error.endpoint === undefined ? subject.server : `Triton at ${error.endpoint}`;
  return new HammerlineError(code, `${server}: ${error.message} (${what})`, { cause: error });
}

function meaningOf(error: TritonError, { model, lora }: TritonSubject): Meaning {
  if (error.progress === 'answered' && error.reason !== 'model_error') {
    return { code: 'model_failed', what: 'it broke off within its answer' };
  }
  switch (error.reason) {
    case 'connection':
      // One that is lost behind a request may be that request's doing: it counts as a try.
      return error.progress === 'unsent'
        ? { code: 'model_unavailable', what: 'is it running, and is TRITON_URL right?' }
        : { code: 'model_failed', what: 'it was gone before it answered' };
    case 'tls':
    case 'protocol':
    case 'no_endpoint':
      return { code: 'model_unavailable', what: 'is it running, and is TRITON_URL right?' };
    case 'queue_full':
    case 'queue_timeout':
      return { code: 'model_unavailable', what: 'it has too much to do; add servers' };
    case 'model_process':
      return { code: 'model_unavailable', what: `the process of the model ${model} is dead` };
    case 'stalled':
      return { code: 'model_failed', what: 'it fell silent' };
    case 'malformed_text':
      return { code: 'model_failed', what: 'the answer is no text' };
    case 'too_large':
      return { code: 'context_overflow', what: 'shorten the request or the toolset' };
    case 'model_error':
    case undefined:
      return meaningOfCode(error, model, lora);
  }
}

function meaningOfCode(
  { code, message }: TritonError,
  model: string,
  lora: string | undefined,
): Meaning {
  switch (code) {
    case 'not_found':
      return {
        code: 'model_unavailable',
        what: `is the model ${model} in its model repository? It may still be loading`,
      };
    case 'unavailable':
      return { code: 'model_unavailable', what: `the model ${model} is not ready` };
    case 'unauthenticated':
    case 'permission_denied':
      return { code: 'model_refused', what: 'it wants a key for this' };
    case 'invalid_argument':
    case 'unimplemented':
      return (
        meaningOfWords(message, lora) ?? {
          code: 'model_refused',
          what: `the model ${model} does not have the inputs of Triton's vLLM backend`,
        }
      );
    case 'cancelled':
    case 'unknown':
    case 'deadline_exceeded':
    case 'already_exists':
    case 'resource_exhausted':
    case 'failed_precondition':
    case 'aborted':
    case 'out_of_range':
    case 'internal':
    case 'data_loss':
      return (
        meaningOfWords(message, lora) ?? {
          code: 'model_failed',
          what: `the model ${model} failed`,
        }
      );
  }
}

/** What the model says; over HTTP, that is an invalid argument whatever it is. */
function meaningOfWords(message: string, lora: string | undefined): Meaning | undefined {
  const known = MODEL_WORDS.find(([words]) => words.test(message));
  if (known === undefined) return undefined;
  const [, code, what] = known;
  return { code, what: lora === undefined ? what : `${what}; MODEL_LORA is ${lora}` };
}
