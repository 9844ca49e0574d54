import type { Logger } from '#libs/telemetry';
import type { Redis } from 'ioredis';
import type { Announce } from '../run-engine.js';
import { HALTED_CHANNEL, shardChannel, type RunChange } from './channels.js';

/**
 * Publishes what was committed: what comes first at once, all that follows within one turn of the event loop in one message
 * for each shard. Nothing waits for it, and a message that is lost costs latency, never truth.
 */
export class Announcer implements Announce {
  readonly #redis: Redis;
  readonly #log: Logger;
  /** What followed within this turn of the event loop; undefined: nothing came yet. */
  #following: Map<string, (RunChange | string)[]> | undefined;

  constructor(redis: Redis, log: Logger) {
    this.#redis = redis;
    this.#log = log;
  }

  changed(change: RunChange): void {
    this.#add(shardChannel(change.runId), change);
  }

  halted(runId: string): void {
    this.#add(HALTED_CHANNEL, runId);
  }

  #add(channel: string, message: RunChange | string): void {
    if (!this.#following) {
      this.#following = new Map();
      setImmediate(() => this.#publishFollowing());
      void this.#publish(channel, [message]);
      return;
    }
    const messages = this.#following.get(channel);
    if (messages) messages.push(message);
    else this.#following.set(channel, [message]);
  }

  #publishFollowing(): void {
    const following = this.#following ?? [];
    this.#following = undefined;
    for (const [channel, messages] of following) void this.#publish(channel, messages);
  }

  async #publish(channel: string, messages: readonly (RunChange | string)[]): Promise<void> {
    try {
      await this.#redis.publish(channel, JSON.stringify(messages));
    } catch (error) {
      this.#log.debug({ err: error }, 'notices not sent');
    }
  }
}
