import { checkOutputs, misspeltInputs, prepareInputs, type TensorInput } from './check-inputs.js';
import { checkInferRequest } from './check-request.js';
import { MetadataCache } from './metadata-cache.js';
import type {
  InferMessage,
  ModelMetadata,
  ModelRef,
  NamedTensor,
  Parameters,
  RequestedOutput,
} from './protocol.js';
import type { CallContext, GenerateRequest, Transport } from './transport.js';
import { invalidArgument, TritonError } from './triton-error.js';

export interface InferRequest extends ModelRef {
  readonly id?: string | undefined;
  readonly parameters?: Parameters | undefined;
  /** By name: tensors, or plain values that become tensors of the model's data type. */
  readonly inputs: Readonly<Record<string, TensorInput>>;
  /** Default: all. */
  readonly outputs?: readonly (string | RequestedOutput)[] | undefined;
}

/** Makes of a user's request what goes over the wire: plain values become tensors, everything is checked. */
export class InferRequests {
  readonly #metadata: MetadataCache;
  readonly #check: boolean;

  /** @param check whether against the model's metadata, which is asked for once per model */
  constructor(transport: Transport, check: boolean) {
    this.#metadata = new MetadataCache(transport);
    this.#check = check;
  }

  /**
   * At once where the model is known: a promise more per call would be felt.
   *
   * @throws TritonError `invalid_argument` that names model, input and mend
   */
  prepare(request: InferRequest, context: CallContext): InferMessage | Promise<InferMessage> {
    checkInferRequest(request);
    if (!this.#check) return messageOf(request, asTensors(request));
    return this.#metadata.using(request, context, (metadata) => checked(metadata, request));
  }

  /** What the server refuses although it fitted: the model may have been loaded anew since its metadata was read. */
  refused(request: ModelRef, error: unknown): void {
    if (!(error instanceof TritonError)) return;
    if (error.code === 'invalid_argument' || error.code === 'not_found')
      this.#metadata.forget(request);
  }

  /**
   * The request made once more, after the server refused what fitted metadata that was kept, if fresh metadata makes other
   * tensors of it: of a request that is refused so, nothing ran.
   */
  async again(
    request: InferRequest,
    message: InferMessage,
    error: unknown,
    context: CallContext,
  ): Promise<InferMessage | undefined> {
    if (!this.#check || !isRefusal(error)) return undefined;
    try {
      const fresh = await this.prepare(request, context);
      return typesOf(fresh) === typesOf(message) ? undefined : fresh;
    } catch {
      // The server's words say more than that its metadata cannot be had, or no longer fits.
      return undefined;
    }
  }

  /**
   * The same error, with the fields that were perhaps meant to be inputs where the server misses some: it takes a misspelt one
   * for a parameter.
   */
  async explained(
    error: unknown,
    { model, version, fields }: GenerateRequest,
    context: CallContext,
  ): Promise<unknown> {
    if (!this.#check || !isRefusal(error) || !MISSES_INPUTS.test(error.message)) return error;
    try {
      const hint = await this.#metadata.using({ model, version }, context, (metadata) =>
        misspeltInputs(metadata, Object.keys(fields)),
      );
      return hint === '' ? error : error.with({ message: `${error.message} (${hint})` });
    } catch {
      // The server's words are what counts.
      return error;
    }
  }

  /** The model changes. */
  forget(request: ModelRef): void {
    this.#metadata.forget(request);
  }
}

const MISSES_INPUTS =
  /\bexpected (\d{1,9} inputs|number of inputs between \d{1,9} and \d{1,9}) but got \d{1,9} inputs\b/;

function isRefusal(error: unknown): error is TritonError {
  return (
    error instanceof TritonError && error.code === 'invalid_argument' && error.progress === 'sent'
  );
}

function typesOf({ inputs }: InferMessage): string {
  return JSON.stringify(inputs.map(({ tensor: { datatype, shape } }) => [datatype, shape]));
}

function checked(metadata: ModelMetadata, request: InferRequest): InferMessage {
  const message = messageOf(request, prepareInputs(metadata, request.inputs));
  if (message.outputs !== undefined) checkOutputs(metadata, message.outputs);
  return message;
}

function asTensors({ model, inputs }: InferRequest): NamedTensor[] {
  return Object.entries(inputs).map(([name, tensor]) => {
    if (typeof tensor === 'object' && 'datatype' in tensor) return { name, tensor };
    const mend = 'give tensor(datatype, values), or leave checkInputs on';
    throw invalidArgument(
      `model ${model}, input ${name}`,
      'a value whose data type is not known',
      mend,
    );
  });
}

function messageOf(
  { model, version, id, parameters, outputs }: InferRequest,
  inputs: readonly NamedTensor[],
): InferMessage {
  return {
    model,
    version,
    id,
    parameters,
    inputs,
    outputs: outputs?.map((output) => (typeof output === 'string' ? { name: output } : output)),
  };
}
