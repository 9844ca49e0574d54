import type { ModelMetadata, ModelRef } from './protocol.js';
import type { CallContext, Transport } from './transport.js';

/** Streams have no deadline, but what comes before them must not hang: milliseconds. */
const timeoutMs = 20_000;
/** Models whose metadata is kept; the rest is asked for again. */
const capacity = 1_000;

/** What models say of themselves, asked for once per model and version. A failure is not kept. */
export class MetadataCache {
  readonly #transport: Transport;
  readonly #known = new Map<string, ModelMetadata>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Does work that depends on a model's metadata: at once where that is known. Where it then fails the model may have been
   * loaded anew since: it is done once more, on fresh metadata.
   */
  using<T>(
    ref: ModelRef,
    context: CallContext,
    work: (metadata: ModelMetadata) => T,
  ): T | Promise<T> {
    const known = this.#known.get(keyOf(ref));
    if (known !== undefined) {
      try {
        return work(known);
      } catch {
        // Told below, if it still is so.
      }
    }
    return this.#fetch(ref, context).then(work);
  }

  /** The model may have changed. */
  forget(ref: ModelRef): void {
    this.#known.delete(keyOf(ref));
  }

  async #fetch({ model, version }: ModelRef, context: CallContext): Promise<ModelMetadata> {
    const deadline = Math.min(context.deadline ?? Infinity, performance.now() + timeoutMs);
    const metadata = await this.#transport.unary({
      operation: 'ModelMetadata',
      request: { model, version },
      context: { ...context, deadline },
    });
    const key = keyOf({ model, version });
    const [oldest] = this.#known.keys();
    if (this.#known.size >= capacity && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, metadata);
    return metadata;
  }
}

function keyOf({ model, version = '' }: ModelRef): string {
  return `${model}\n${version}`;
}
