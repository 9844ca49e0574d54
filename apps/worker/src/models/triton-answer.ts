import { HammerlineError } from '#libs/contracts';
import type { ScoredToken } from '#libs/hammer';
import type { GenerateFields } from '#libs/triton';
import { z } from 'zod';
import type { Piece } from './model-server.js';

/** One response of the vLLM backend while it streams: text, probabilities and output tokens are those since the last one. */
const Response = z.object({
  text_output: z.string(),
  // Python's None, before the last one.
  finish_reason: z.enum(['None', 'stop', 'length']),
  num_input_tokens: z.number().int().min(0),
  num_output_tokens: z.number().int().min(0),
  logprobs: z.string().optional(),
});

/** By the token's id; as we ask for the sampled token alone, there is one. */
const Logprobs = z
  .array(
    z.record(z.string(), z.object({ logprob: z.number(), decoded_token: z.string().nullish() })),
  )
  .nullable();

/** Reads the responses of one answer. */
export class AnswerReader {
  readonly #server: string;
  #outputTokens = 0;

  constructor(server: string) {
    this.#server = server;
  }

  /** Throws `model_failed` for a response that breaks the contract. */
  read(fields: GenerateFields): Piece {
    const response = Response.safeParse(fields);
    if (!response.success) throw this.#broken(z.prettifyError(response.error));
    const { text_output, finish_reason, num_input_tokens, num_output_tokens, logprobs } =
      response.data;
    this.#outputTokens += num_output_tokens;
    return {
      text: text_output,
      tokens: logprobs === undefined ? [] : this.#readLogprobs(logprobs),
      finishReason: finish_reason === 'None' ? undefined : finish_reason,
      inputTokens: num_input_tokens,
      outputTokens: this.#outputTokens,
    };
  }

  #readLogprobs(text: string): ScoredToken[] {
    const read = Logprobs.safeParse(parse(text));
    if (!read.success) throw this.#broken(`logprobs: ${z.prettifyError(read.error)}`);
    return (read.data ?? []).map((candidates) => {
      const [sampled, ...others] = Object.values(candidates);
      if (sampled === undefined || others.length > 0) {
        throw this.#broken(`logprobs of ${others.length + 1} tokens where one was sampled`);
      }
      return { text: sampled.decoded_token ?? '', logprob: sampled.logprob };
    });
  }

  #broken(fault: string): HammerlineError {
    return new HammerlineError(
      'model_failed',
      `${this.#server} answers in another form than the vLLM backend: ${fault.replaceAll(/\s+/g, ' ')}`,
    );
  }
}

/** Python writes what JSON has no word for. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text.replaceAll(/(?<="logprob": ?)-Infinity/g, '-1e308'));
  } catch {
    return text;
  }
}
