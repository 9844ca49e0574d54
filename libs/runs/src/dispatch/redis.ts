import { HammerlineError } from '#libs/contracts';
import { Redis, type RedisOptions } from 'ioredis';

/** For connections whose commands must fail soon while Redis is away or frozen: nothing may wait for a hint. */
export const IMPATIENT = { enableOfflineQueue: false, commandTimeout: 2_000 };
/** For the connection of a consumer, which blocks until there is a hint. */
export const BLOCKING = { maxRetriesPerRequest: null };

/** Connects to Redis and refuses one that evicts keys: hints would vanish silently under memory pressure. */
export async function openRedis(
  redisUrl: string,
  options: Pick<
    RedisOptions,
    'maxRetriesPerRequest' | 'enableOfflineQueue' | 'commandTimeout'
  > = {},
): Promise<Redis> {
  const where = URL.parse(redisUrl)?.host ?? 'REDIS_URL';
  const redis = new Redis(redisUrl, { lazyConnect: true, retryStrategy: () => null, ...options });
  let cause: unknown;
  redis.on('error', (error) => {
    cause = error;
  });
  try {
    await redis.connect();
  } catch (error) {
    // What connect() itself says is only that the connection is closed.
    cause ??= error;
    throw new HammerlineError(
      'redis_unusable',
      `Redis at ${where} cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}. Check that it runs and that REDIS_URL is right.`,
      { cause },
    );
  }
  // From here on it reconnects for ever: a Redis that restarts must not end the process.
  redis.options.retryStrategy = (times) => Math.min(times * 50, 1_000);
  const policy = /maxmemory_policy:(\S+)/.exec(await redis.info('memory'))?.[1];
  if (policy !== 'noeviction') {
    redis.disconnect();
    throw new HammerlineError(
      'redis_unusable',
      `Redis at ${where} evicts keys (maxmemory-policy ${policy ?? 'unknown'}): set maxmemory-policy to noeviction.`,
    );
  }
  return redis;
}
