import type { Prompt, ScoredToken, ServingFlavour } from '#libs/hammer';

/** What is known of a model before it is asked: how to prompt it, and how far its answers may be trusted. */
export interface ModelCard {
  /** Shown on every result, so that nobody takes one model's answer for another's. */
  readonly name: string;
  readonly runtime: 'embedded';
  /** The prompt that the model was trained on. */
  readonly flavour: ServingFlavour;
  /** Most calls in one answer. A model that was trained on single calls would repeat itself if it could go on. */
  readonly maxCalls: number;
  /** Tokens that prompt and answer may take together. */
  readonly contextTokens: number;
  /** Whether it answers as well with masked names, having been trained on them. */
  readonly maskTrained: boolean;
  /**
   * A call with an effect executes without approval only if the decision's confidence is above this number. 1 for a
   * model that was not calibrated: no confidence is above 1.
   */
  readonly confidenceThreshold: number;
}

export interface GenerateRequest {
  readonly prompt: Prompt;
  /** GBNF that the answer must follow; absent: any text. */
  readonly grammar?: string | undefined;
  readonly maxTokens: number;
  readonly signal: AbortSignal;
}

export interface Generation {
  readonly text: string;
  /** The answer token by token. A character that spans tokens is shown as U+FFFD in each of them, but not in `text`. */
  readonly tokens: readonly ScoredToken[];
  /** `length` when `maxTokens` ended the answer, which then is not complete. */
  readonly finishReason: 'stop' | 'length';
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number };
}

/** A model, however it is reached. Decoding is greedy: equal requests give equal answers. */
export interface Model {
  readonly card: ModelCard;
  /**
   * Answers one prompt. Throws the signal's reason when it is aborted, and a HammerlineError otherwise:
   * `context_overflow` when prompt and `maxTokens` do not fit, `model_unavailable` or `model_failed`.
   * Concurrent calls are allowed.
   */
  generate(request: GenerateRequest): Promise<Generation>;
  /** Waits for the calls under way and frees the memory. Later calls throw `model_unavailable`. */
  close(): Promise<void>;
}
