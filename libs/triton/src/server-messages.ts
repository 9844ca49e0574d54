import type { TritonErrorCode, TritonErrorReason } from './triton-error.js';

/** What the words of a server's error say; what they leave open, the transport's status says. */
export interface ServerMessage {
  readonly code?: TritonErrorCode;
  readonly reason?: TritonErrorReason;
  /** What the caller can do about it. */
  readonly mend?: string;
}

const RELOAD = 'unload and load the model';

/** Characters at either end of a message that are looked at. */
const END = 2_048;

/**
 * Words of Triton by which one situation gets one code over gRPC and over HTTP, whose statuses differ: HTTP has none for
 * some of gRPC's (a model's CANCELLED and UNKNOWN are 400), malformed JSON is 500, and the same refusal is 403 over HTTP
 * and UNAVAILABLE over gRPC. Seen on Triton 2.51 and in the sources up to 2.69:
 * https://github.com/triton-inference-server/core, /server and /python_backend.
 *
 * A model's error may echo what a stranger wrote: nothing here may repeat without a bound, or it could stop this process.
 */
const KNOWN: readonly (readonly [RegExp, ServerMessage])[] = [
  [
    /^Request for (unknown )?model\b.{0,4200} is not at ready state$/s,
    { code: 'unavailable', reason: 'not_ready' },
  ],
  // The model has no version, or none that is loaded: also while it is still loading for the first time.
  [/^Request for unknown model\b/, { code: 'not_found', reason: 'not_ready' }],
  [/^requested model '[^']{0,256}' is not available$/, { code: 'not_found', reason: 'not_ready' }],
  [
    /^requested model version is not available for model '/,
    { code: 'not_found', reason: 'not_ready' },
  ],
  // A Triton that starts or stops, and a gateway (Envoy) that has none to pass it on to.
  [/^Server (not ready|exiting)$/, { code: 'unavailable', reason: 'not_ready' }],
  [
    /^(\[request id: [^\]]{0,4200}\] )?Server is stopping, /,
    { code: 'unavailable', reason: 'not_ready' },
  ],
  [/^GRPC server is shutting down\b/, { code: 'unavailable', reason: 'not_ready' }],
  [/^no healthy upstream$/, { code: 'unavailable', reason: 'not_ready' }],
  [/\bExceeds maximum queue size$/, { code: 'unavailable', reason: 'queue_full' }],
  [/\bRequest timeout expired$/, { code: 'unavailable', reason: 'queue_timeout' }],
  [
    /^Stub process '[^']{0,256}' is not healthy\.?$/,
    { code: 'unavailable', reason: 'model_process', mend: RELOAD },
  ],
  [
    /^Stub process is not healthy\.?$/,
    { code: 'unavailable', reason: 'model_process', mend: RELOAD },
  ],
  [
    /^Failed to process the requests?(\(s\))? for model /,
    { code: 'internal', reason: 'model_error' },
  ],
  [
    / doesn't support models with decoupled transaction policy$/,
    { code: 'unimplemented', mend: 'use streamInfer, over gRPC, or generateStream' },
  ],
  [/^generate expects model to produce exactly 1 response\b/, { code: 'unimplemented' }],
  [/^This (API|protocol) is restricted, expecting header /, { code: 'permission_denied' }],
  [/^failed to (un)?load '/, { code: 'internal' }],
  [
    /^explicit model load \/ unload is not allowed\b/,
    {
      code: 'failed_precondition',
      mend: 'start the server with --model-control-mode=explicit',
    },
  ],
  [/\bdata-type is '[^']{0,256}', but model '[^']{0,256}' expects '/, { code: 'invalid_argument' }],
  [/\bunexpected (shape|size|inference) (for )?(input|output) '/, { code: 'invalid_argument' }],
  [/\bunexpected (additional input data|explicit tensor data) for /, { code: 'invalid_argument' }],
  [/\bexpected number of inputs between \d+ and \d+ /, { code: 'invalid_argument' }],
  [/^invalid argument for --/, { code: 'invalid_argument' }],
  [/\bexpected \d+ inputs but got \d+ inputs for model '/, { code: 'invalid_argument' }],
  [/\binput byte size mismatch for input '/, { code: 'invalid_argument' }],
  [/\binput '[^']{0,256}' batch size does not match other inputs /, { code: 'invalid_argument' }],
  [/\binference request batch-size must be <= \d+ for '/, { code: 'invalid_argument' }],
  [/^parameter keys starting with 'triton_' are reserved /, { code: 'invalid_argument' }],
  [/^failed to parse the request JSON buffer: /, { code: 'invalid_argument' }],
  [/^Unable to parse '/, { code: 'invalid_argument' }],
  [/\battempt to access (JSON non-|non-existing object member )/, { code: 'invalid_argument' }],
  [/\bShape does not match true shape of 'data' field$/, { code: 'invalid_argument' }],
];

/** What the message of an error from the server says in our vocabulary: nothing, if it is a model's own or unknown. */
export function readServerMessage(message: string): ServerMessage {
  const ends =
    message.length <= 2 * END ? message : `${message.slice(0, END)}…${message.slice(-END)}`;
  for (const [words, meaning] of KNOWN) if (words.test(ends)) return meaning;
  return {};
}
