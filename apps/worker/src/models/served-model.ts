import { HammerlineError } from '#libs/contracts';
import type { Prompt } from '#libs/hammer';
import { CARD_PARAMETER, type ModelCard } from '#libs/models';
import type { GuidedDecoding } from '../config.js';
import { collectAnswer } from './collect-answer.js';
import type { GenerateRequest, Generation, Model } from './model.js';
import type { Guidance, ModelServer } from './model-server.js';
import { parseCard } from './read-card.js';

/** What `check` asks, and the only answer that it allows: one that nobody would give by himself. */
const CHECK_PROMPT: Prompt = {
  prefix: [],
  suffix: [
    { text: '<|im_start|>', control: true },
    { text: 'user\nWhat is the capital of France?', control: false },
    { text: '<|im_end|>', control: true },
    { text: '\n', control: false },
    { text: '<|im_start|>', control: true },
    { text: 'assistant\n', control: false },
  ],
};
const CHECK_CONSTRAINT = {
  grammar: 'root ::= "[]"',
  jsonSchema: { type: 'array', items: { type: 'string' }, maxItems: 0 },
};
const CHECK_TOKENS = 8;

/** What serves a model, and what is set of it. */
export interface ServedModelOptions {
  readonly server: ModelServer;
  /** In place of the card that the server has. */
  readonly card?: ModelCard | undefined;
  readonly guidedDecoding: GuidedDecoding;
}

/** A model behind a server, whichever it is. Answers once `check` has passed, as only then it is known how to ask. */
export class ServedModel implements Model {
  readonly #server: ModelServer;
  readonly #givenCard: ModelCard | undefined;
  readonly #guidedDecoding: GuidedDecoding;
  #card: ModelCard | undefined;
  #guidance: Guidance | undefined;
  readonly #underWay = new Set<Promise<unknown>>();
  #closed = false;

  constructor({ server, card, guidedDecoding }: ServedModelOptions) {
    this.#server = server;
    this.#givenCard = card;
    this.#card = card;
    this.#guidedDecoding = guidedDecoding;
  }

  get runtime(): Model['runtime'] {
    return this.#server.runtime;
  }

  get card(): ModelCard {
    if (this.#card !== undefined) return this.#card;
    throw this.#unavailable('has not said yet what its model is');
  }

  get servers(): number {
    return this.#server.servers;
  }

  async check(signal: AbortSignal): Promise<void> {
    await this.#whileOpen(signal, async () => {
      const described = await this.#server.describe(signal);
      const card = this.#givenCard ?? this.#readCard(described.card);
      const guidance = await this.#guidanceThatWorks(card, described.guidance, signal);
      this.#card = card;
      this.#guidance = guidance;
    });
  }

  async generate(request: GenerateRequest): Promise<Generation> {
    return this.#whileOpen(request.signal, async () => {
      const guidance = this.#guidance;
      if (guidance === undefined) throw this.#unavailable('was not checked yet');
      return this.#ask(request, this.card, guidance);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
    await this.#server.close();
  }

  #readCard(text: string | undefined): ModelCard {
    try {
      if (text !== undefined) return parseCard(text);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw this.#refused(`has a model card that cannot be read (${reason})`, cause);
    }
    throw this.#refused('has no model card');
  }

  /** Asks for the empty list alone, in each of the ways until one is kept to. */
  async #guidanceThatWorks(
    card: ModelCard,
    likely: readonly Guidance[],
    signal: AbortSignal,
  ): Promise<Guidance> {
    const known = this.#guidance === undefined ? [] : [this.#guidance];
    const wanted = this.#guidedDecoding;
    const ways = wanted === 'auto' ? new Set([...known, ...likely]) : [wanted];
    const refusals = new Set<string>();
    for (const guidance of ways) {
      try {
        await this.#try(card, guidance, signal);
        return guidance;
      } catch (error) {
        if (!(error instanceof HammerlineError) || error.code !== 'model_refused') throw error;
        refusals.add(error.message);
      }
    }
    throw new HammerlineError('model_refused', [...refusals].join('; '));
  }

  async #try(card: ModelCard, guidance: Guidance, signal: AbortSignal): Promise<void> {
    const { text } = await this.#ask(
      {
        prompt: CHECK_PROMPT,
        constraint: CHECK_CONSTRAINT,
        maxTokens: CHECK_TOKENS,
        signal,
      },
      card,
      guidance,
    );
    if (guidance === 'off' || /^\[\s*\]$/.test(text.trim())) return;
    throw new HammerlineError(
      'model_refused',
      `${this.#server.name} pays no heed to ${guidance}: allowed to say [] alone, it said ${JSON.stringify(text)}; ` +
        'set GUIDED_DECODING to what it reads, or to off',
    );
  }

  async #ask(
    { prompt, constraint, maxTokens, affinity, signal }: GenerateRequest,
    { stop, contextTokens }: ModelCard,
    guidance: Guidance,
  ): Promise<Generation> {
    const given = guidance === 'off' ? undefined : constraint;
    const question = { prompt, constraint: given, guidance, maxTokens, stop, affinity, signal };
    return collectAnswer(this.#server.answer(question), {
      maxTokens,
      contextTokens,
      isUnguidedList: constraint !== undefined && given === undefined,
      prompt,
      server: this.#server.name,
    });
  }

  async #whileOpen<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw this.#unavailable('is no longer asked: the model is closed');
    signal.throwIfAborted();
    const working = work();
    this.#underWay.add(working);
    try {
      return await working;
    } catch (error) {
      // Whatever the server said to that.
      signal.throwIfAborted();
      throw error;
    } finally {
      this.#underWay.delete(working);
    }
  }

  #refused(what: string, cause?: unknown): HammerlineError {
    const mend = `mend its parameter ${CARD_PARAMETER} in config.pbtxt, or set MODEL_CARD`;
    return new HammerlineError('model_refused', `${this.#server.name} ${what}: ${mend}`, { cause });
  }

  #unavailable(what: string): HammerlineError {
    return new HammerlineError('model_unavailable', `${this.#server.name} ${what}`);
  }
}
