import type { Hint, HintKind } from '#libs/contracts';
import type { Logger } from '#libs/telemetry';
import type { Redis } from 'ioredis';
import type { Work } from '../ledger/find-work.js';
import type { Dispatch } from '../run-engine.js';
import type { Share } from '../tenants.js';
import { offer, type HintQueues } from './hint-queues.js';

/** FIRST FORM, without the gate: to be replaced. */
export class Dispatcher implements Dispatch {
  readonly #queues: HintQueues;
  readonly #log: Logger;

  constructor(parts: {
    redis: Redis;
    queues: HintQueues;
    shares: (tenantId: string) => Promise<Share>;
    log: Logger;
  }) {
    this.#queues = parts.queues;
    this.#log = parts.log;
  }

  async offer({ hint }: Work, delayMs = 0): Promise<void> {
    await offer(this.#queues, this.#log, hint, { delayMs });
  }

  /** A hint that could not be followed here: another process may. */
  async giveBack(hint: Hint): Promise<void> {
    await offer(this.#queues, this.#log, hint);
  }

  done(_kind: HintKind): void {}

  async wasEmptied(): Promise<boolean> {
    return false;
  }

  async close(): Promise<void> {}
}
