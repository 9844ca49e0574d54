import { checkOutputs, prepareInputs, type TensorInput } from './check-inputs.js';
import { MetadataCache } from './metadata-cache.js';
import type {
  InferMessage,
  ModelMetadata,
  ModelRef,
  NamedTensor,
  Parameters,
  RequestedOutput,
} from './protocol.js';
import type { CallContext, Transport } from './transport.js';
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
    if (typeof request.model !== 'string' || request.model === '')
      throw invalidArgument('model', 'missing', 'give the name of a model');
    if (typeof request.inputs !== 'object' || request.inputs === null)
      throw invalidArgument(
        `model ${request.model}, inputs`,
        'missing',
        'give tensors or values by name',
      );
    if (!this.#check) return messageOf(request, asTensors(request));
    return this.#metadata.using(request, context, (metadata) => checked(metadata, request));
  }

  /** What the server refuses although it fitted: the model may have been loaded anew since its metadata was read. */
  refused(request: ModelRef, error: unknown): void {
    if (!(error instanceof TritonError)) return;
    if (error.code === 'invalid_argument' || error.code === 'not_found')
      this.#metadata.forget(request);
  }

  /** The model changes. */
  forget(request: ModelRef): void {
    this.#metadata.forget(request);
  }
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
