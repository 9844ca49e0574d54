import type { Logger } from '#libs/telemetry';
import type { Redis } from 'ioredis';
import type { Announce } from '../run-engine.js';
import { HALTED_CHANNEL, shardChannel, type RunChange } from './channels.js';

/**
 * Publishes what was committed: all that comes within one turn of the event loop in one message for each shard. Nothing
 * waits for it, and a message that is lost costs latency, never truth.
 */
export class Announcer implements Announce {
  readonly #redis: Redis;
  readonly #log: Logger;
  #messages = new Map<string, (RunChange | string)[]>();

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
    if (this.#messages.size === 0) setImmediate(() => void this.#publish());
    const messages = this.#messages.get(channel);
    if (messages) messages.push(message);
    else this.#messages.set(channel, [message]);
  }

  async #publish(): Promise<void> {
    const messages = this.#messages;
    this.#messages = new Map();
    try {
      await Promise.all(
        [...messages].map(([channel, all]) => this.#redis.publish(channel, JSON.stringify(all))),
      );
    } catch (error) {
      this.#log.debug({ err: error }, 'notices not sent');
    }
  }
}
