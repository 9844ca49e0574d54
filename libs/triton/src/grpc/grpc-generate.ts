import { answerToFields, fieldsToInputs } from '../generate-fields.js';
import { MetadataCache } from '../metadata-cache.js';
import type { GenerateFields, InferMessage } from '../protocol.js';
import type {
  CallContext,
  GenerateRequest,
  StreamCall,
  Transport,
  UnaryCall,
} from '../transport.js';
import { type Progress, TritonError } from '../triton-error.js';

/** Triton's generate extension, which it has only over HTTP, by way of the model's metadata and ModelStreamInfer. */
export class GrpcGenerate {
  readonly #transport: Transport;
  readonly #metadata: MetadataCache;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.#metadata = new MetadataCache(transport);
  }

  /** A model that answers more than once, or not at all, is an error, as over HTTP. */
  async once({ request, context }: UnaryCall<'Generate'>): Promise<GenerateFields> {
    let only: GenerateFields | undefined;
    for await (const fields of this.#answers(request, context, 'Generate')) {
      if (only !== undefined) throw wrongCount('more than one');
      only = fields;
    }
    if (only === undefined) throw wrongCount('no');
    return only;
  }

  async *stream({
    requests,
    context,
  }: StreamCall<'GenerateStream'>): AsyncGenerator<GenerateFields> {
    for await (const request of requests) {
      yield* this.#answers(request, context, 'GenerateStream');
    }
  }

  async *#answers(
    { model, version, fields }: GenerateRequest,
    context: CallContext,
    operation: string,
  ): AsyncGenerator<GenerateFields> {
    const ref = { model, version };
    const message: InferMessage = await this.#metadata.using(ref, context, (metadata) => ({
      ...ref,
      ...fieldsToInputs(metadata, fields),
    }));
    const answers = this.#transport.stream({
      operation: 'ModelStreamInfer',
      requests: [message],
      context,
    });
    let progress: Progress | undefined;
    try {
      for await (const { answer, error } of answers) {
        if (error !== undefined) throw error;
        if (Object.keys(answer.outputs).length > 0) yield answerToFields(answer);
        progress = 'answered';
      }
    } catch (error) {
      throw error instanceof TritonError ? error.with({ operation, progress }) : error;
    }
  }
}

function wrongCount(count: string): TritonError {
  return new TritonError(
    'unimplemented',
    `generate expects the model to produce exactly 1 response, it gave ${count}: use generateStream`,
    { operation: 'Generate', progress: 'answered' },
  );
}
