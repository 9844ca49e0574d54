import { answerToFields, fieldsToInputs } from '../generate-fields.js';
import { MetadataCache } from '../metadata-cache.js';
import type { GenerateFields, InferMessage } from '../protocol.js';
import type {
  CallContext,
  GenerateRequest,
  StreamAnswer,
  StreamCall,
  Transport,
  UnaryCall,
} from '../transport.js';
import { type Progress, TritonError } from '../triton-error.js';

/** Opens a ModelStreamInfer for one request; its errors name `operation`. */
export type OpenStream = (
  request: InferMessage,
  context: CallContext,
  operation: string,
) => AsyncIterable<StreamAnswer>;

/** Triton's generate extension, which it has only over HTTP, by way of the model's metadata and ModelStreamInfer. */
export class GrpcGenerate {
  readonly #metadata: MetadataCache;
  readonly #open: OpenStream;
  readonly #endpoint: string;

  constructor(transport: Transport, open: OpenStream, endpoint: string) {
    this.#metadata = new MetadataCache(transport);
    this.#open = open;
    this.#endpoint = endpoint;
  }

  /** A model that answers more than once, or not at all, is an error, as over HTTP. */
  async once({ request, context, operation }: UnaryCall<'Generate'>): Promise<GenerateFields> {
    let only: GenerateFields | undefined;
    for await (const fields of this.#answers(request, context, operation)) {
      if (only !== undefined) throw this.#wrongCount('more than one');
      only = fields;
    }
    if (only === undefined) throw this.#wrongCount('no');
    return only;
  }

  async *stream({
    requests,
    context,
    operation,
  }: StreamCall<'GenerateStream'>): AsyncGenerator<GenerateFields> {
    for await (const request of requests) yield* this.#answers(request, context, operation);
  }

  async *#answers(
    { model, version, fields }: GenerateRequest,
    context: CallContext,
    operation: string,
  ): AsyncGenerator<GenerateFields> {
    const ref = { model, version };
    let progress: Progress | undefined;
    try {
      const message = await this.#metadata.using(ref, context, (metadata) => ({
        ...ref,
        ...fieldsToInputs(metadata, fields),
      }));
      for await (const { answer, error } of this.#open(message, context, operation)) {
        if (error !== undefined) throw error;
        const isEmpty = Object.keys(answer.outputs).length === 0;
        progress = 'answered';
        if (!isEmpty) yield answerToFields(answer);
      }
    } catch (error) {
      if (!(error instanceof TritonError)) throw error;
      if (error.code === 'invalid_argument' || error.code === 'not_found')
        this.#metadata.forget(ref);
      const endpoint = error.progress === 'unsent' ? undefined : this.#endpoint;
      throw error.with({ operation, endpoint, progress });
    }
  }

  #wrongCount(count: string): TritonError {
    return new TritonError(
      'unimplemented',
      `generate expects the model to produce exactly 1 response, it gave ${count}: use generateStream`,
      { operation: 'Generate', endpoint: this.#endpoint, progress: 'answered' },
    );
  }
}
