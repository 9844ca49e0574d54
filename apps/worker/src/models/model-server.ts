import type { Prompt, ScoredToken } from '#libs/hammer';
import type { GuidedDecoding } from '../config.js';
import type { GenerateRequest, Model } from './model.js';

/** How a server is told what the answer must be. */
export type Guidance = Exclude<GuidedDecoding, 'auto'>;

/** All that a server is asked; what is left out of it is the same each time. */
export interface Question {
  readonly prompt: Prompt;
  readonly constraint: NonNullable<GenerateRequest['constraint']> | undefined;
  readonly guidance: Guidance;
  readonly maxTokens: number;
  /** Texts that end the answer, and are no part of it. */
  readonly stop: readonly string[];
  readonly affinity: string | undefined;
  readonly signal: AbortSignal;
}

/** A piece of an answer that arrives. */
export interface Piece {
  readonly text: string;
  /** Empty where the server tells no probabilities. */
  readonly tokens: readonly ScoredToken[];
  readonly finishReason?: 'stop' | 'length' | undefined;
  /** Tokens of the whole prompt. */
  readonly inputTokens?: number | undefined;
  /** Tokens of this piece and those before it. */
  readonly outputTokens?: number | undefined;
}

/** What a server says of its model. */
export interface Description {
  /** As JSON; absent where it has none. */
  readonly card?: string | undefined;
  /** Ways to tell it what the answer must be, the likeliest first. */
  readonly guidance: readonly [Guidance, ...Guidance[]];
}

/** What serves a model over the network: how it is asked, in its own words. All its errors are HammerlineErrors. */
export interface ModelServer {
  readonly runtime: Model['runtime'];
  readonly servers: number;
  /** Of whom messages speak. */
  readonly name: string;
  describe(signal: AbortSignal): Promise<Description>;
  /** Leaving the loop over the answer ends it at the server too. */
  answer(question: Question): AsyncIterable<Piece>;
  close(): Promise<void>;
}
