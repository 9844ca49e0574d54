import { ServiceConfig } from '#libs/service';
import { z } from 'zod';

export const GatewayConfig = ServiceConfig.extend({
  PORT: ServiceConfig.shape.PORT.default(3000),
  /** The key of the tenant `default`. */
  HAMMERLINE_API_KEY: z.string().min(16, 'at least 16 characters'),
  /** Toolset files, or folders of them, separated by commas. */
  HAMMERLINE_TOOLSETS: z
    .string()
    .default('examples')
    .transform((paths) => paths.split(',').filter((path) => path !== '')),
  /** Most open runs of the ledger: above it none is accepted. */
  MAX_OPEN_RUNS: z.coerce.number().int().min(1).max(100_000_000).default(1_000_000),
  BODY_LIMIT_BYTES: z.coerce.number().int().min(1_024).max(64_000_000).default(1_048_576),
});
export type GatewayConfig = z.infer<typeof GatewayConfig>;
