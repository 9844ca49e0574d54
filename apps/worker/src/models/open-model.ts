import { HammerlineError } from '#libs/contracts';
import { flavourOf } from '#libs/hammer';
import { ModelCard, readModelEntry } from '#libs/models';
import { TritonError } from '#libs/triton';
import type { WorkerConfig } from '../config.js';
import { openDefaultModel } from './default-model.js';
import { loadEmbeddedModel } from './embedded.js';
import type { Model } from './model.js';
import { OpenAiServer } from './openai.js';
import { readCardFile } from './read-card.js';
import { ServedModel } from './served-model.js';
import { TritonServer } from './triton.js';

/** What the Hammer models were trained for, tokens. A server says itself when it is less there. */
const HAMMER_CONTEXT = 32_768;

/** What of the worker's variables concerns the model. */
export type ModelConfig = Pick<
  WorkerConfig,
  | 'RUNTIME'
  | 'MODEL'
  | 'MODEL_CACHE'
  | 'MODEL_CARD'
  | 'MODEL_LORA'
  | 'MODEL_STALL_MS'
  | 'GUIDED_DECODING'
  | 'TRITON_URL'
  | 'TRITON_BALANCE'
  | 'OPENAI_BASE_URL'
  | 'OPENAI_API_KEY'
  | 'OPENAI_API'
>;

/**
 * Opens the model that the environment names. One of this process is loaded; of a server nothing is asked yet: that is for
 * `check`.
 *
 * Throws `config_invalid` that names the variable, and `model_unavailable` for files that are not there or no model.
 */
export async function openModel(config: ModelConfig): Promise<Model> {
  const card = config.MODEL_CARD === undefined ? undefined : await readCardFile(config.MODEL_CARD);
  switch (config.RUNTIME) {
    case 'embedded':
      return openEmbedded(config, card);
    case 'triton':
      return openTriton(config, card);
    case 'openai':
      return openOpenAi(config, card);
  }
}

async function openEmbedded(config: ModelConfig, card: ModelCard | undefined): Promise<Model> {
  const { MODEL, MODEL_CACHE, MODEL_LORA, GUIDED_DECODING } = config;
  if (GUIDED_DECODING !== 'auto') {
    throw invalid('GUIDED_DECODING', 'is for servers: unset it, or set RUNTIME');
  }
  if (MODEL === undefined) {
    if (card !== undefined) throw invalid('MODEL_CARD', 'is for another model: set MODEL too');
    if (MODEL_LORA !== undefined)
      throw invalid('MODEL_LORA', 'is for another model: set MODEL too');
    return openDefaultModel(MODEL_CACHE);
  }
  try {
    const entry = await readModelEntry(MODEL);
    const adapter = MODEL_LORA === undefined ? entry.adapter : entry.loras[MODEL_LORA];
    if (MODEL_LORA !== undefined && adapter === undefined) {
      const names = Object.keys(entry.loras).join(', ') || 'none';
      throw invalid('MODEL_LORA', `is ${MODEL_LORA}, but the adapters of ${MODEL} are: ${names}`);
    }
    return await loadEmbeddedModel({ card: card ?? entry.card, weights: entry.weights, adapter });
  } catch (error) {
    if (!(error instanceof HammerlineError) || error.code !== 'model_unavailable') throw error;
    const { code, message, retryable } = error;
    throw new HammerlineError(code, `${message}. It is named in MODEL`, {
      retryable,
      cause: error,
    });
  }
}

function openTriton(config: ModelConfig, card: ModelCard | undefined): Model {
  const { TRITON_URL, TRITON_BALANCE, MODEL, MODEL_LORA, MODEL_STALL_MS, GUIDED_DECODING } = config;
  const urls = (TRITON_URL ?? '').split(',').flatMap((url) => url.trim() || []);
  if (urls.length === 0) {
    throw invalid('TRITON_URL', 'is not set: RUNTIME=triton needs one, as grpc://127.0.0.1:8001');
  }
  if (GUIDED_DECODING === 'grammar' || GUIDED_DECODING === 'response_format') {
    throw invalid('GUIDED_DECODING', `is ${GUIDED_DECODING}, which no Triton reads: set auto`);
  }
  try {
    const server = new TritonServer({
      urls,
      model: MODEL ?? 'hammer',
      lora: MODEL_LORA,
      balance: TRITON_BALANCE,
      stallMs: MODEL_STALL_MS,
    });
    return new ServedModel({ server, card, guidedDecoding: GUIDED_DECODING });
  } catch (error) {
    if (!(error instanceof TritonError)) throw error;
    throw invalid('TRITON_URL', `cannot be used: ${error.message}`);
  }
}

function openOpenAi(config: ModelConfig, card: ModelCard | undefined): Model {
  const { OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_API, GUIDED_DECODING } = config;
  const { MODEL, MODEL_LORA, MODEL_STALL_MS } = config;
  if (OPENAI_BASE_URL === undefined) {
    const mend = 'RUNTIME=openai needs the address of a server, as http://127.0.0.1:8080/v1';
    throw invalid('OPENAI_BASE_URL', `is not set: ${mend}`);
  }
  if (MODEL === undefined) {
    throw invalid('MODEL', 'is not set: RUNTIME=openai needs the name that the model has there');
  }
  const server = new OpenAiServer({
    baseUrl: OPENAI_BASE_URL,
    apiKey: OPENAI_API_KEY,
    api: OPENAI_API,
    model: MODEL,
    lora: MODEL_LORA,
    stallMs: MODEL_STALL_MS,
  });
  return new ServedModel({
    server,
    card: card ?? hammerCard(MODEL),
    guidedDecoding: GUIDED_DECODING,
  });
}

/** Of a Hammer model, by its name. Such a server has no card of its own to give. */
function hammerCard(name: string): ModelCard {
  const flavour = flavourOf(name);
  if (flavour === undefined) {
    throw invalid(
      'MODEL_CARD',
      `is not set, and MODEL=${name} is no Hammer model by its name: name a file that says how it is asked (docs/models.md)`,
    );
  }
  return ModelCard.parse({
    name,
    flavour,
    contextTokens: HAMMER_CONTEXT,
    maskTrained: true,
    chat: true,
  });
}

function invalid(variable: string, fault: string): HammerlineError {
  return new HammerlineError('config_invalid', `${variable} ${fault}. See docs/configuration.md.`);
}
