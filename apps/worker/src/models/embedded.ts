import {
  type Llama,
  type LlamaContextSequence,
  LlamaGrammarEvaluationState,
  LlamaLogLevel,
  type LlamaModel,
  type Token,
  getLlama,
} from 'node-llama-cpp';
import { HammerlineError } from '#libs/contracts';
import type { Prompt, PromptSegment } from '#libs/hammer';
import type { ModelCard } from '#libs/models';
import type { GenerateRequest, Generation, Model } from './model.js';

/** Tokens of a prompt that are computed in one go: an abort waits for at most one batch, some tenths of a second. */
const batchTokens = 128;

export interface EmbeddedModelOptions {
  /** `contextTokens` is cut to what the weights were trained for. */
  readonly card: ModelCard;
  /** Path of a GGUF file. */
  readonly weights: string;
  /** Path of a LoRA adapter as GGUF. */
  readonly adapter?: string | undefined;
  /** CPU threads; 1 unless told, as several stall each other on a busy machine. */
  readonly threads?: number;
  /**
   * Prompt prefixes (toolsets) whose computed state is kept, the last used ones; 2 unless told. Each takes memory for a
   * whole context, 94 MB at 4,096 tokens of the default model, and saves the seconds that its toolset's prompt takes.
   */
  readonly prefixes?: number;
}

/**
 * Loads a GGUF model into this process, on the CPU. Throws `model_unavailable` with a message for the operator when the
 * files are no model. They must begin as GGUF files do: the library reads as many entries as the header promises, and a
 * few wrong bytes there keep it busy until the memory is full.
 */
export async function loadEmbeddedModel(options: EmbeddedModelOptions): Promise<Model> {
  const { card, weights, adapter, threads = 1, prefixes = 2 } = options;
  const llama = await startLlama(threads);
  try {
    const model = await llama.loadModel({ modelPath: weights });
    const context = await model.createContext({
      contextSize: Math.min(card.contextTokens, model.trainContextSize),
      sequences: prefixes,
      batchSize: batchTokens,
      threads,
      ...(adapter === undefined ? {} : { lora: adapter }),
    });
    const slots = Array.from({ length: prefixes }, () => context.getSequence());
    return new EmbeddedModel({ ...card, contextTokens: context.contextSize }, llama, model, slots);
  } catch (cause) {
    await llama.dispose();
    const files = adapter === undefined ? weights : `${weights} with the adapter ${adapter}`;
    throw new HammerlineError(
      'model_unavailable',
      `cannot load the model ${files}: damaged, or no GGUF model that this version reads; name another one, or leave ` +
        'MODEL out to use the default model',
      { retryable: false, cause },
    );
  }
}

class EmbeddedModel implements Model {
  readonly runtime = 'embedded';
  readonly servers = 1;
  readonly card: ModelCard;
  readonly #llama: Llama;
  readonly #model: LlamaModel;
  /** Least recently used first. */
  readonly #slots: LlamaContextSequence[];
  /** Settles when the calls so far have ended: one at a time, as they share the processor. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(
    card: ModelCard,
    llama: Llama,
    model: LlamaModel,
    slots: readonly LlamaContextSequence[],
  ) {
    this.card = card;
    this.#llama = llama;
    this.#model = model;
    this.#slots = [...slots];
  }

  async generate(request: GenerateRequest): Promise<Generation> {
    this.#requireOpen();
    const { signal } = request;
    signal.throwIfAborted();
    const asked = performance.now();
    const answer = this.#last.then(() => this.#answer(request, asked));
    this.#last = answer.catch(() => undefined);
    const settled = new AbortController();
    try {
      // An aborted call leaves the queue at once; its turn then passes without work.
      return await Promise.race([answer, aborted(signal, settled.signal)]);
    } catch (cause) {
      if (signal.aborted || cause instanceof HammerlineError) throw cause;
      throw new HammerlineError('model_failed', `${this.card.name} failed to answer`, { cause });
    } finally {
      settled.abort();
    }
  }

  /** The files were read and the model was loaded: it answers, unless it is closed. */
  async check(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#requireOpen();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    await this.#llama.dispose();
  }

  async #answer(
    { prompt, constraint, maxTokens, signal }: GenerateRequest,
    asked: number,
  ): Promise<Generation> {
    signal.throwIfAborted();
    const prefix = this.#tokenize(prompt.prefix);
    const input = [...prefix, ...this.#tokenize(prompt.suffix)];
    this.#requireRoom(input.length, maxTokens);
    const slot = await this.#prepare(prefix.length, input, signal);
    const answer: Token[] = [];
    const tokens: Generation['tokens'][number][] = [];
    let finishReason: Generation['finishReason'] = 'stop';
    let firstTokenMs: number | undefined;
    const steps = slot.evaluateWithMetadata(
      input.slice(slot.nextTokenIndex),
      { confidence: true },
      { temperature: 0, ...(constraint && (await this.#follow(constraint.grammar))) },
    );
    // Ends by itself at the model's end-of-turn token, which a grammar allows after a complete answer.
    for await (const { token, confidence } of steps) {
      signal.throwIfAborted();
      firstTokenMs ??= performance.now() - asked;
      answer.push(token);
      tokens.push({ text: this.#model.detokenize([token]), logprob: Math.log(confidence) });
      if (answer.length >= maxTokens) {
        finishReason = 'length';
        break;
      }
    }
    return {
      text: this.#model.detokenize(answer),
      tokens,
      finishReason,
      usage: { inputTokens: input.length, outputTokens: answer.length },
      firstTokenMs: firstTokenMs ?? performance.now() - asked,
    };
  }

  async #follow(grammar: string): Promise<{ grammarEvaluationState: LlamaGrammarEvaluationState }> {
    const compiled = await this.#llama.createGrammar({ grammar });
    const state = new LlamaGrammarEvaluationState({ model: this.#model, grammar: compiled });
    return { grammarEvaluationState: state };
  }

  /** Control tokens are recognised in control segments only, so no text of a user or a tool can open a turn. */
  #tokenize(segments: Prompt['prefix']): Token[] {
    return segments.flatMap(({ text, control }: PromptSegment) =>
      this.#model.tokenize(text, control),
    );
  }

  #requireOpen(): void {
    if (this.#closed) throw new HammerlineError('model_unavailable', 'the model is closed');
  }

  #requireRoom(inputTokens: number, maxTokens: number): void {
    const { name, contextTokens } = this.card;
    if (inputTokens + maxTokens <= contextTokens) return;
    throw new HammerlineError(
      'context_overflow',
      `the prompt takes ${inputTokens} tokens and the answer may take ${maxTokens}, ` +
        `together ${inputTokens + maxTokens}, but ${name} holds ${contextTokens}`,
    );
  }

  /** A slot that holds the input but for the last token, made from what the slots hold already. */
  async #prepare(
    prefixLength: number,
    input: readonly Token[],
    signal: AbortSignal,
  ): Promise<LlamaContextSequence> {
    const known = input.slice(0, -1);
    const warm = this.#slots.find(
      (slot) => slot.compareContextTokens(known).firstDifferentIndex >= prefixLength,
    );
    const slot = warm ?? this.#slots[0];
    if (slot === undefined) throw new Error('a model without slots');
    this.#slots.push(...this.#slots.splice(this.#slots.indexOf(slot), 1));
    // Without `false` the library may move state to other positions, and a strict prefix would not be cut at all.
    await slot.adaptStateToTokens(known, false);
    for (let at = slot.nextTokenIndex; at < known.length; at += batchTokens) {
      signal.throwIfAborted();
      await slot.evaluateWithoutGeneratingNewTokens(known.slice(at, at + batchTokens));
    }
    signal.throwIfAborted();
    return slot;
  }
}

async function startLlama(threads: number): Promise<Llama> {
  try {
    return await getLlama({
      gpu: false,
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      maxThreads: threads,
      logLevel: LlamaLogLevel.disabled,
    });
  } catch (cause) {
    throw new HammerlineError(
      'model_unavailable',
      `the embedded runtime has no program for ${process.platform}-${process.arch}: ` +
        `install @node-llama-cpp for this platform, or use another runtime`,
      { retryable: false, cause },
    );
  }
}

function aborted(signal: AbortSignal, until: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: until });
  });
}
