import type { Constraint, Prompt, ScoredToken } from '#libs/hammer';
import type { ModelCard } from '#libs/models';

/** How a model is reached. */
export const RUNTIMES = ['embedded', 'triton', 'openai'] as const;
export type Runtime = (typeof RUNTIMES)[number];

export interface GenerateRequest {
  readonly prompt: Prompt;
  /** What the answer must be; absent: any text. */
  readonly constraint?: Pick<Constraint, 'grammar' | 'jsonSchema'> | undefined;
  readonly maxTokens: number;
  /** The same text for equal prompt prefixes, so that they meet at the server that has the prefix computed. */
  readonly affinity?: string | undefined;
  readonly signal: AbortSignal;
}

export interface Generation {
  readonly text: string;
  /**
   * The answer token by token. A character that spans tokens is shown as U+FFFD in each of them, but not in `text`. Empty
   * where the server tells no probabilities: the confidence is then 0, so that nothing but reads executes by itself.
   */
  readonly tokens: readonly ScoredToken[];
  /** `length` when a limit of tokens ended the answer, which then is not complete. */
  readonly finishReason: 'stop' | 'length';
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number };
  /** Milliseconds from asking to the first token: what it waited at the server, and its prompt. */
  readonly firstTokenMs: number;
}

/** A model, however it is reached. Decoding is greedy: equal requests give equal answers. */
export interface Model {
  readonly runtime: Runtime;
  /** Throws `model_unavailable` until `check` has passed once, where the card comes from the server; may change there. */
  readonly card: ModelCard;
  /** How many servers get requests now; 1 for a model in this process, and behind an address that hides them. */
  readonly servers: number;
  /**
   * Resolves when the model would answer now, having asked it for a token as turns will ask it (with the adapter and
   * the guided decoding that are set). Throws the signal's reason, or a HammerlineError, as `generate` does.
   */
  check(signal: AbortSignal): Promise<void>;
  /**
   * Answers one prompt. Throws the signal's reason when it is aborted, and a HammerlineError otherwise:
   * `context_overflow` when prompt and `maxTokens` do not fit, or, at a server, prompt and answer; `model_unavailable`
   * when no server has looked at the request, as none is reached, has the model or the adapter, or takes the key;
   * `model_overloaded` when one has too much to do; `model_failed` when one may have worked on it and did not answer;
   * `model_refused` when the server says that the request is wrong. Concurrent calls are allowed.
   */
  generate(request: GenerateRequest): Promise<Generation>;
  /** Waits for the calls under way, then frees memory and connections. Later calls throw `model_unavailable`. */
  close(): Promise<void>;
}
