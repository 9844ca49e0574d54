import type { Logger } from '#libs/telemetry';
import type { Redis } from 'ioredis';

/** Longest wait for Redis to confirm a subscription. */
const CONFIRMED_WITHIN_MS = 100;

/**
 * A connection of its own that listens to channels, and takes them up again after it was cut. What is published while it is
 * cut is lost.
 */
export class Subscriber {
  readonly #redis: Redis;
  readonly #channels = new Set<string>();

  /**
   * @param like a connection to the same Redis
   * @param hear takes what one message carries: an array, whose items may be of another version of this program
   */
  constructor(like: Redis, hear: (channel: string, items: unknown[]) => void, log: Logger) {
    this.#redis = like.duplicate({
      lazyConnect: false,
      // A subscription waits for a Redis that is away, however long; who asks for it does not.
      enableOfflineQueue: true,
      maxRetriesPerRequest: null,
      commandTimeout: undefined,
      // By itself ioredis would leave a rejection that nobody handles where it is closed meanwhile.
      autoResubscribe: false,
    });
    this.#redis.on('ready', () => {
      if (this.#channels.size > 0) this.#redis.subscribe(...this.#channels).catch(() => undefined);
    });
    this.#redis.on('error', (error: Error) => log.debug({ err: error.message }, 'not listening'));
    this.#redis.on('message', (channel: string, text: string) => {
      const items = parse(text);
      if (Array.isArray(items)) hear(channel, items);
      else log.warn({ channel }, 'a message that this version cannot read');
    });
  }

  /** Resolves once the channel is heard; where Redis does not answer, without: it is heard when Redis is back. */
  async subscribe(channel: string): Promise<void> {
    this.#channels.add(channel);
    const confirmed = this.#redis.subscribe(channel).catch(() => undefined);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, CONFIRMED_WITHIN_MS)));
    await Promise.race([confirmed, late]);
    clearTimeout(timer);
  }

  unsubscribe(channel: string): void {
    this.#channels.delete(channel);
    this.#redis.unsubscribe(channel).catch(() => undefined);
  }

  close(): void {
    this.#redis.disconnect();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
