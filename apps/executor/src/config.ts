import { ServiceConfig } from '#libs/service';
import { z } from 'zod';

export const ExecutorConfig = ServiceConfig.extend({
  PORT: ServiceConfig.shape.PORT.default(0),
  /** Folder in which the builtin document and table tools work, and which they cannot leave. */
  HAMMERLINE_FILES: z.string(),
  /** Calls in work at once. */
  EXECUTOR_CONCURRENCY: z.coerce.number().int().min(1).max(10_000).default(50),
});
export type ExecutorConfig = z.infer<typeof ExecutorConfig>;
