import { HammerlineError } from '#libs/contracts';
import { context, propagation } from '@opentelemetry/api';
import { Agent, type Dispatcher, request } from 'undici';
import { z } from 'zod';
import type { WorkerConfig } from '../config.js';
import { eventData } from './event-stream.js';
import type { Description, Guidance, ModelServer, Piece, Question } from './model-server.js';
import { noteServer } from './note-server.js';
import { readChunk } from './openai-answer.js';
import { chunkError, connectionError, LOST, statusError } from './openai-error.js';
import { textOfPrompt, turnsOfPrompt } from './text-prompt.js';

const CONNECT_MS = 10_000;
const DONE = '[DONE]';

/** What each way of guiding an answer adds to the body. */
const GUIDES: Record<Guidance, (constraint: NonNullable<Question['constraint']>) => object> = {
  structured_outputs: ({ grammar }) => ({ structured_outputs: { grammar } }),
  // vLLM before 0.12.
  guided_decoding: ({ grammar }) => ({ guided_grammar: grammar }),
  grammar: ({ grammar }) => ({ grammar }),
  response_format: ({ jsonSchema }) => ({
    response_format: { type: 'json_schema', json_schema: { name: 'calls', schema: jsonSchema } },
  }),
  off: () => ({}),
};

/** What is known of servers by the owner that they name for their models. */
const GUIDANCE_OF: Readonly<Record<string, Description['guidance']>> = {
  vllm: ['structured_outputs', 'guided_decoding'],
  llamacpp: ['grammar'],
};

const Models = z.object({
  data: z.array(z.object({ id: z.string(), owned_by: z.string().nullish() })),
});

export interface OpenAiOptions {
  /** With its version, as http://127.0.0.1:8080/v1 */
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  readonly api: WorkerConfig['OPENAI_API'];
  readonly model: string;
  /** Asked for in place of the model, as vLLM has it. */
  readonly lora?: string | undefined;
  /** How long an answer may be silent, the wait for its first token included. */
  readonly stallMs: number;
}

/** A model behind any server of OpenAI's API: vLLM, llama.cpp, SGLang, … */
export class OpenAiServer implements ModelServer {
  readonly runtime = 'openai';
  /** One address; what is behind it cannot be seen. */
  readonly servers = 1;
  readonly name: string;
  readonly #url: URL;
  readonly #options: OpenAiOptions;
  readonly #agent: Agent;

  constructor(options: OpenAiOptions) {
    const { baseUrl, stallMs } = options;
    this.#url = new URL(baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`);
    this.name = `the server at ${this.#url.host}`;
    this.#options = options;
    this.#agent = new Agent({
      headersTimeout: stallMs,
      bodyTimeout: stallMs,
      connect: { timeout: CONNECT_MS },
    });
  }

  async describe(signal: AbortSignal): Promise<Description> {
    const { statusCode, body } = await this.#send('models', { method: 'GET', signal });
    const text = await this.#textOf(body);
    const isKnown = statusCode === 200;
    // Some have no such list.
    if (!isKnown && statusCode !== 404) throw statusError(statusCode, text, this.#subject);
    const models = isKnown ? this.#readModels(text) : [];
    this.#requireLora(models.map(({ id }) => id));
    const { model } = this.#options;
    const owner = (models.find(({ id }) => id === model) ?? models[0])?.owned_by ?? '';
    return { guidance: GUIDANCE_OF[owner] ?? ['response_format'] };
  }

  async *answer(question: Question): AsyncGenerator<Piece, void, undefined> {
    noteServer(this.#url);
    const { signal } = question;
    const isChat = this.#options.api === 'chat';
    const { statusCode, body } = await this.#send(isChat ? 'chat/completions' : 'completions', {
      method: 'POST',
      body: JSON.stringify(this.#bodyOf(question, isChat)),
      signal,
    });
    if (statusCode !== 200) {
      throw statusError(statusCode, await this.#textOf(body), this.#subject);
    }
    let isDone = false;
    try {
      // To the end of the body, behind what is done: left earlier, the connection is lost.
      for await (const data of eventData(body)) {
        isDone ||= data === DONE;
        if (!isDone) yield this.#readEvent(data);
      }
    } catch (error) {
      if (!isDone) throw this.#broken(error);
    }
  }

  close(): Promise<void> {
    return this.#agent.close();
  }

  get #subject() {
    const { model, lora } = this.#options;
    return { server: this.name, model, lora };
  }

  #bodyOf({ prompt, constraint, guidance, maxTokens, stop }: Question, isChat: boolean): object {
    const { model, lora } = this.#options;
    return {
      model: lora ?? model,
      ...(isChat
        ? { messages: turnsOfPrompt(prompt), logprobs: true, top_logprobs: 1 }
        : // With 0, llama.cpp gives none.
          { prompt: textOfPrompt(prompt), logprobs: 1 }),
      max_tokens: maxTokens,
      temperature: 0,
      seed: 0,
      stop,
      stream: true,
      stream_options: { include_usage: true },
      ...(constraint && GUIDES[guidance](constraint)),
    };
  }

  #readEvent(data: string): Piece {
    const value: unknown = JSON.parse(data);
    const error = chunkError(value, this.#subject);
    if (error !== undefined) throw error;
    return readChunk(value);
  }

  #readModels(text: string): z.infer<typeof Models>['data'] {
    try {
      return Models.parse(JSON.parse(text)).data;
    } catch (cause) {
      throw new HammerlineError(
        'model_refused',
        `${this.name} lists its models in another form than OpenAI's: is OPENAI_BASE_URL right, with its version, such as /v1?`,
        { cause },
      );
    }
  }

  /** A server that does not know adapters by their names would answer without it. */
  #requireLora(ids: readonly string[]): void {
    const { lora } = this.#options;
    if (lora === undefined || ids.includes(lora)) return;
    throw new HammerlineError(
      'model_unavailable',
      `${this.name} has no adapter ${lora}, only ${ids.join(', ')}: set MODEL_LORA to one of them, or unset it`,
    );
  }

  async #send(
    path: string,
    options: { method: 'GET' | 'POST'; body?: string; signal: AbortSignal },
  ): Promise<Dispatcher.ResponseData> {
    const { apiKey } = this.#options;
    const headers: Record<string, string> = { accept: 'application/json, text/event-stream' };
    if (options.body !== undefined) headers['content-type'] = 'application/json';
    if (apiKey !== undefined) headers['authorization'] = `Bearer ${apiKey}`;
    propagation.inject(context.active(), headers);
    const url = new URL(path, this.#url);
    for (let attempt = 1; ; attempt++) {
      try {
        return await request(url, { ...options, headers, dispatcher: this.#agent });
      } catch (error) {
        const { code = '' } = Object(error) as { code?: string };
        // An idle connection may be closed while it is taken. Decoding changes nothing, so it may begin again.
        if (attempt === 1 && LOST.has(code) && !options.signal.aborted) continue;
        throw connectionError(error, false, this.#subject);
      }
    }
  }

  async #textOf(body: Dispatcher.ResponseData['body']): Promise<string> {
    try {
      return await body.text();
    } catch (error) {
      throw connectionError(error, true, this.#subject);
    }
  }

  #broken(error: unknown): unknown {
    if (error instanceof HammerlineError) return error;
    const isForm =
      error instanceof z.ZodError || error instanceof SyntaxError || error instanceof TypeError;
    if (!isForm) return connectionError(error, true, this.#subject);
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : error.message;
    return new HammerlineError(
      'model_failed',
      `${this.name} answers in another form than OpenAI's: ${reason.replaceAll(/\s+/g, ' ')}`,
      { cause: error },
    );
  }
}
