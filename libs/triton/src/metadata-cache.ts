import { whileWanted } from './call-limits.js';
import type { ModelMetadata, ModelRef } from './protocol.js';
import type { CallContext, Transport } from './transport.js';

/** How long the server may take to tell, milliseconds: streams have no deadline, but what comes before them must not hang. */
const timeoutMs = 20_000;
/** Models whose metadata is kept; the rest is asked for again. */
const capacity = 1_000;

/** What models say of themselves, asked for once per model and version, for all who wait. A failure is not kept. */
export class MetadataCache {
  readonly #transport: Transport;
  readonly #known = new Map<string, ModelMetadata>();
  /** Under way. */
  readonly #asked = new Map<string, Promise<ModelMetadata>>();

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
    const asked = this.#asked.get(keyOf(ref)) ?? this.#ask(ref, context);
    return whileWanted(asked, { operation: 'ModelMetadata', context }).then(work);
  }

  /** The model may have changed, in all its versions, and since it was asked for what is not told yet. */
  forget({ model }: ModelRef): void {
    for (const map of [this.#known, this.#asked])
      for (const key of map.keys()) if (key.startsWith(`${model}\n`)) map.delete(key);
  }

  #ask(ref: ModelRef, context: CallContext): Promise<ModelMetadata> {
    const key = keyOf(ref);
    const asked = this.#fetch(ref, context).then(
      (metadata) => {
        if (this.#end(key, asked)) this.#keep(key, metadata);
        return metadata;
      },
      (error: unknown) => {
        this.#end(key, asked);
        throw error;
      },
    );
    this.#asked.set(key, asked);
    return asked;
  }

  /** Returns whether it still counts, and was not forgotten meanwhile. */
  #end(key: string, asked: Promise<ModelMetadata>): boolean {
    return this.#asked.get(key) === asked && this.#asked.delete(key);
  }

  /** On behalf of all who wait: it ends neither with the time of the first nor with its signal. */
  async #fetch(
    { model, version }: ModelRef,
    { metadata, affinity }: CallContext,
  ): Promise<ModelMetadata> {
    return this.#transport.unary({
      operation: 'ModelMetadata',
      request: { model, version },
      context: {
        metadata,
        affinity,
        deadline: performance.now() + timeoutMs,
        timeoutMs,
        label: `metadata of model ${model}`,
      },
    });
  }

  #keep(key: string, metadata: ModelMetadata): void {
    const [oldest] = this.#known.keys();
    if (this.#known.size >= capacity && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(key, metadata);
  }
}

function keyOf({ model, version = '' }: ModelRef): string {
  return `${model}\n${version}`;
}
