import { HammerlineError } from '#libs/contracts';
import { LOG_LEVELS } from '#libs/telemetry';
import { z } from 'zod';

/** What every process reads. An app's own Zod object extends it. */
export const ServiceConfig = z.object({
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'a postgres:// URL' }),
  REDIS_URL: z.url({ protocol: /^rediss?$/, error: 'a redis:// URL' }),
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number({ error: 'a port number' }).int().min(0).max(65_535),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ error: 'a URL' }).optional(),
  LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  /** Days that ended runs are kept. Unset: for ever. */
  RETENTION_DAYS: z.coerce
    .number({ error: 'a whole number of days' })
    .int('a whole number of days')
    .min(1, 'at least 1; unset keeps runs for ever')
    .max(36_500, 'at most 36500; unset keeps runs for ever')
    .optional(),
});

/** Reads an environment; every variable that is missing or wrong is named at once. An empty one counts as unset. */
export function readConfig<T extends z.ZodType>(schema: T, env: NodeJS.ProcessEnv): z.infer<T> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => {
    const name = issue.path.join('.');
    return name in given ? `${name} is not valid (${issue.message})` : `${name} is not set`;
  });
  throw new HammerlineError('config_invalid', `${faults.join('; ')}. See docs/configuration.md.`);
}
