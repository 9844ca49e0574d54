import { afterAll, beforeAll } from 'vitest';
import { CARD_PARAMETER, ModelCard } from '#libs/models';
import { TritonClient } from '#libs/triton';
import { type HammerTriton, startHammerTriton } from '../../support/hammer-triton.js';
import { knownSpellings, type Spelling } from './spellings.js';
import { WAIT_MS, waitForModel } from './wait-for-model.js';

/** Besides the wait for the model. */
const START_MS = 120_000;

/** What a request asks for besides its text, in vLLM's words. */
export interface Asked {
  readonly prompt?: string;
  readonly sampling?: Readonly<Record<string, unknown>>;
  /** Further inputs of the model. */
  readonly fields?: Readonly<Record<string, boolean>>;
  readonly signal?: AbortSignal;
}

/** One response. */
export interface Part {
  readonly text: string;
  readonly finishReason: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** vLLM's JSON, parsed: for each token the alternatives by token id, or null where none were asked for. */
  readonly logprobs: readonly Readonly<Record<string, Logprob>>[] | null;
  readonly cumulativeLogprob: number | undefined;
}

export interface Logprob {
  readonly logprob: number;
  readonly rank: number | null;
  readonly decoded_token: string | null;
}

/** A model under test. */
export interface ContractServer {
  readonly card: ModelCard;
  /** Those that the server knows. */
  readonly spellings: readonly Spelling[];
  /** The answer in one response, without the prompt. */
  ask(asked: Asked): Promise<Part>;
  /** The answer as it is generated. Leaving the loop cancels the request. */
  stream(asked: Asked): AsyncGenerator<Part, void, undefined>;
  /** Sampling parameters that hold the answer to one of vLLM's kinds, in a spelling that the server knows. */
  guided(kind: object, spelling?: Spelling): Record<string, unknown>;
}

export const PROMPT = '<|im_start|>user\nSay hi.<|im_end|>\n<|im_start|>assistant\n';

/**
 * The server that TRITON_CONTRACT_URL names (`grpc://host:8001`), with the model TRITON_CONTRACT_MODEL, for which it waits;
 * without it, the CPU model on a server of its own.
 */
export function useContractServer(): ContractServer {
  const url = process.env['TRITON_CONTRACT_URL'];
  const model = process.env['TRITON_CONTRACT_MODEL'] ?? 'hammer';
  const started: {
    triton?: HammerTriton | undefined;
    client?: TritonClient;
    card?: ModelCard;
  } = {};
  const spellings: Spelling[] = [];

  const client = (): TritonClient => {
    if (!started.client) throw new Error('the server starts with the first test');
    return started.client;
  };
  const request = (stream: boolean, { prompt = PROMPT, sampling = {}, fields }: Asked) => ({
    model,
    fields: {
      text_input: prompt,
      stream,
      sampling_parameters: JSON.stringify({ temperature: 0, ...sampling }),
      exclude_input_in_output: true,
      return_finish_reason: true,
      return_num_input_tokens: true,
      return_num_output_tokens: true,
      return_logprobs: true,
      // Without log-probabilities it is NaN, which HTTP's JSON cannot carry.
      return_cumulative_logprob: 'logprobs' in sampling,
      ...fields,
    },
  });
  const guided: ContractServer['guided'] = (kind, spelling = spellings[0]) => {
    if (!spelling) throw new Error('the server knows no guided decoding');
    return { [spelling]: JSON.stringify(kind) };
  };
  const ask: ContractServer['ask'] = async (asked) =>
    readPart(await client().generate(request(false, asked), { signal: asked.signal }));

  beforeAll(async () => {
    started.triton = url === undefined ? await startHammerTriton({ slots: 2 }) : undefined;
    started.client = new TritonClient(url ?? `grpc://${started.triton?.grpc}`);
    await waitForModel(client(), model, (line) => console.log(line));
    const config = await client().modelConfig(model);
    const parameters = config['parameters'] as Record<string, { string_value: string }>;
    started.card = ModelCard.parse(JSON.parse(parameters[CARD_PARAMETER]?.string_value ?? '{}'));
    spellings.push(...(await knownSpellings(async (sampling) => (await ask({ sampling })).text)));
  }, WAIT_MS + START_MS);
  afterAll(async () => {
    await started.client?.close();
    // To end by itself takes Triton seconds.
    await started.triton?.kill();
    await started.triton?.stop();
  });

  return {
    get card() {
      if (!started.card) throw new Error('the server starts with the first test');
      return started.card;
    },
    spellings,
    ask,
    guided,
    async *stream(asked) {
      const answer = client().generateStream(request(true, asked), { signal: asked.signal });
      for await (const part of answer) yield readPart(part);
    },
  };
}

function readPart(fields: Readonly<Record<string, unknown>>): Part {
  return {
    text: fields['text_output'] as string,
    finishReason: fields['finish_reason'] as string,
    inputTokens: fields['num_input_tokens'] as number,
    outputTokens: fields['num_output_tokens'] as number,
    logprobs: JSON.parse(fields['logprobs'] as string) as Part['logprobs'],
    cumulativeLogprob: fields['cumulative_logprob'] as number | undefined,
  };
}
