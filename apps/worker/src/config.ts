import { homedir } from 'node:os';
import { join } from 'node:path';
import { ServiceConfig } from '#libs/service';
import { z } from 'zod';

export const WorkerConfig = ServiceConfig.extend({
  PORT: ServiceConfig.shape.PORT.default(0),
  /** Path of a GGUF file; the default model where unset. */
  MODEL: z.string().optional(),
  /** Folder that holds the default model's weights. */
  MODEL_CACHE: z.string().default(join(homedir(), '.cache', 'hammerline')),
  /** Turns in work at once. The embedded model answers one at a time; a second keeps it busy between turns. */
  WORKER_CONCURRENCY: z.coerce.number().int().min(1).max(1_000).default(2),
});
export type WorkerConfig = z.infer<typeof WorkerConfig>;
