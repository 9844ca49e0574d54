import { HammerlineError } from '#libs/contracts';
import { Redis, type RedisOptions } from 'ioredis';

/**
 * Connects to Redis and refuses one that evicts keys: hints would vanish silently under memory pressure. Commands fail
 * at once while Redis is away (`maxRetriesPerRequest: null` lets blocking consumers wait instead).
 */
export async function openRedis(
  redisUrl: string,
  options: Pick<RedisOptions, 'maxRetriesPerRequest' | 'enableOfflineQueue'> = {},
): Promise<Redis> {
  const where = URL.parse(redisUrl)?.host ?? 'REDIS_URL';
  const redis = new Redis(redisUrl, { lazyConnect: true, retryStrategy: () => null, ...options });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
  } catch (error) {
    throw new HammerlineError(
      'redis_unusable',
      `Redis at ${where} cannot be reached: ${error instanceof Error ? error.message : String(error)}. Check that it runs and that REDIS_URL is right.`,
      { cause: error },
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
