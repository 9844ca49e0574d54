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

/** Whole sentences, as a model's error may echo what a stranger wrote. In vLLM's words, of 0.8 to 0.24, or the CPU model's. */
const MODEL_WORDS: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [
    /^Error generating stream: The decoder prompt \(length \d+\) .{0,100}maximum model length of \d/,
    'context_overflow',
    'shorten the request or the toolset',
  ],
  [
    /^LoRA (feature is not enabled\.|.{1,256} is not supported, we currently support )/,
    'model_unavailable',
    'set MODEL_LORA to an adapter of the model (multi_lora.json), or unset it',
  ],
  [
    // What the backend says of any sampling parameter that it does not know.
    /^Error generating stream: 'NoneType' object has no attribute 'lora_name'$/,
    'model_refused',
    'it does not know a sampling parameter: set GUIDED_DECODING to guided_decoding (containers before 25.11), structured_outputs or off',
  ],
  [
    /^Error generating stream: (sampling_parameters: |Invalid (JSON )?grammar specification|Failed to (convert the grammar|transform (regex|json schema) into a grammar)|The provided JSON schema contains features|You (can only|must) use one kind of |Grammar error: )/,
    'model_refused',
    'set GUIDED_DECODING to another value or to off',
  ],
  [
    /^Model is unavailable due to unhealthy vLLM engine/,
    'model_unavailable',
    'its engine is dead: load it again',
  ],
  [/^(Error generating stream: |Request was cancelled$)/, 'model_failed', 'look at its log'],
];

/** What an error of the client or the server means for a turn; what is no TritonError stays as it is. */
export function modelErrorOf(error: unknown, subject: TritonSubject): unknown {
  if (!(error instanceof TritonError)) return error;
  const { code, what } = meaningOf(error, subject);
  const { endpoint, message } = error;
  const server = endpoint === undefined ? subject.server : `Triton at ${endpoint}`;
  // The client's own words often begin with the address.
  const said = message.startsWith(`${endpoint}: `)
    ? message.slice(`${endpoint}: `.length)
    : message;
  return new HammerlineError(code, `${server}: ${said} (${what})`, { cause: error });
}

function meaningOf(error: TritonError, { model, lora }: TritonSubject): Meaning {
  if (error.progress === 'answered' && error.reason !== 'model_error') {
    return { code: 'model_failed', what: 'it broke off within its answer' };
  }
  switch (error.reason) {
    case 'connection':
    case 'protocol':
      // One that is lost behind a request may be that request's doing: it counts as a try.
      return error.progress === 'unsent'
        ? { code: 'model_unavailable', what: 'is it running, and is TRITON_URL right?' }
        : { code: 'model_failed', what: 'it may have worked on it; is TRITON_URL right?' };
    case 'tls':
    case 'no_endpoint':
      return { code: 'model_unavailable', what: 'is it running, and is TRITON_URL right?' };
    case 'not_ready':
      return {
        code: 'model_unavailable',
        what: `is the model ${model} in its model repository? It may still be loading`,
      };
    case 'queue_full':
    case 'queue_timeout':
      return { code: 'model_overloaded', what: 'add servers' };
    case 'model_process':
      // Whatever it died of: a request that is in it then meets silence.
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
  { code, message, progress }: TritonError,
  model: string,
  lora: string | undefined,
): Meaning {
  switch (code) {
    case 'not_found':
      return { code: 'model_unavailable', what: 'is TRITON_URL right?' };
    case 'unavailable':
      if (progress === 'unsent') return { code: 'model_unavailable', what: 'is it running?' };
      // As a gateway says it of a server that may have begun.
      return (
        meaningOfWords(message, lora) ?? {
          code: 'model_failed',
          what: 'it may have worked on it',
        }
      );
    case 'resource_exhausted':
      return { code: 'model_overloaded', what: 'it has too much to do; add servers' };
    case 'unauthenticated':
    case 'permission_denied':
      return { code: 'model_unavailable', what: 'it wants a key for this' };
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
