import { homedir } from 'node:os';
import { join } from 'node:path';
import { ServiceConfig } from '#libs/service';
import { z } from 'zod';
import { RUNTIMES } from './models/model.js';

/** How a server is told what the answer must be. `auto`: what this server is known to read. */
export const GUIDED_DECODING = [
  'auto',
  'structured_outputs',
  'guided_decoding',
  'grammar',
  'response_format',
  'off',
] as const;
export type GuidedDecoding = (typeof GUIDED_DECODING)[number];

/** How a model call is sent to one of several Triton servers. */
export const TRITON_BALANCE = ['affinity', 'least_outstanding', 'round_robin'] as const;

export const WorkerConfig = ServiceConfig.extend({
  PORT: ServiceConfig.shape.PORT.default(0),
  RUNTIME: z.enum(RUNTIMES).default('embedded'),
  /**
   * embedded: path of a GGUF file or of an entry of `hammerline models`; the default model where unset.
   * triton: the model's name there, `hammer` where unset. openai: the model's name there, required.
   */
  MODEL: z.string().optional(),
  /** Folder that holds the default model's weights. */
  MODEL_CACHE: z.string().default(join(homedir(), '.cache', 'hammerline')),
  /** Path of a model card as JSON, instead of the one that the model brings. */
  MODEL_CARD: z.string().optional(),
  /** Name of a LoRA adapter that the server has. */
  MODEL_LORA: z.string().optional(),
  /** How long an answer of a server may be silent, the wait for its first token included. */
  MODEL_STALL_MS: z.coerce.number().int().min(100).max(180_000).default(120_000),
  GUIDED_DECODING: z.enum(GUIDED_DECODING).default('auto'),
  /** Addresses separated by commas: grpc://, grpcs://, http:// or https://. One name with many addresses is many servers. */
  TRITON_URL: z.string().optional(),
  TRITON_BALANCE: z.enum(TRITON_BALANCE).default('affinity'),
  /** Base URL with its version: http://127.0.0.1:8080/v1 */
  OPENAI_BASE_URL: z
    .url({
      protocol: /^https?$/,
      error: 'an http:// or https:// URL such as http://127.0.0.1:8080/v1',
    })
    .optional(),
  OPENAI_API_KEY: z.string().optional(),
  /** `completions` sends Hammer's prompt as it is; `chat` its turns as messages, for servers that have nothing else. */
  OPENAI_API: z.enum(['completions', 'chat']).default('completions'),
  /**
   * Turns that the model works on at once: a number, or `adaptive`, which follows the server. Default: 1 for the embedded
   * model, `adaptive` for servers.
   */
  WORKER_CONCURRENCY: z
    .string()
    .regex(/^(adaptive|[1-9]\d{0,2}|1000)$/, 'a number from 1 to 1000, or "adaptive"')
    .transform((text) => (text === 'adaptive' ? text : Number(text)))
    .optional(),
});
export type WorkerConfig = z.infer<typeof WorkerConfig>;
