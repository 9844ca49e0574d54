import { setImmediate } from 'node:timers/promises';
import type { HintKind } from '#libs/contracts';
import type { Logger } from '#libs/telemetry';
import type { Queue } from 'bullmq';
import type { Finished, Gate, Ready } from './gate.js';
import { HINT_JOB_OPTIONS, hintOf } from './hint-queues.js';

interface Batch {
  added: Ready[];
  finished: Finished[];
  capacity?: { consumer: string; hints: number };
  /** Ticket by id, of what was let through. */
  through: Promise<ReadonlyMap<string, string>>;
}

/** A queue with its gate. All that is told within one turn of the event loop goes through the gate in one call. */
export class GatedQueue {
  readonly #kind: HintKind;
  readonly #gate: Gate;
  readonly #queue: Queue;
  readonly #log: Logger;
  #batch: Batch | undefined;
  readonly #underWay = new Set<Batch>();
  /** What the gate could not be told. */
  #untold: Finished[] = [];

  constructor(parts: { kind: HintKind; gate: Gate; queue: Queue; log: Logger }) {
    this.#kind = parts.kind;
    this.#gate = parts.gate;
    this.#queue = parts.queue;
    this.#log = parts.log;
  }

  /** Resolves with the job's id where it went to the queue at once; throws where Redis did not take it. */
  async add(ready: Ready): Promise<string | undefined> {
    const batch = this.#open();
    batch.added.push(ready);
    return (await batch.through).get(ready.id);
  }

  /** Makes room. While Redis is away it is kept in mind, and told later. */
  finish(finished: Finished): void {
    this.#open().finished.push(finished);
  }

  announce(consumer: string, hints: number): void {
    this.#open().capacity = { consumer, hints };
  }

  /** Resolves when all that was told has been sent, or could not be. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#underWay].map(({ through }) => through));
  }

  #open(): Batch {
    if (this.#batch) return this.#batch;
    const batch: Batch = {
      added: [],
      finished: [],
      through: setImmediate().then(() => this.#send(batch)),
    };
    this.#batch = batch;
    this.#underWay.add(batch);
    batch.through
      .catch((error: unknown) => {
        const hints = batch.added.length;
        this.#log[hints > 0 ? 'warn' : 'debug'](
          { err: error, queue: this.#queue.name, hints },
          'hints not sent; the sweep will offer them again',
        );
      })
      .finally(() => this.#underWay.delete(batch));
    return batch;
  }

  async #send(batch: Batch): Promise<ReadonlyMap<string, string>> {
    this.#batch = undefined;
    const finished = [...this.#untold, ...batch.finished];
    this.#untold = [];
    const through = await this.#gate.pass({ ...batch, finished }).catch((error: unknown) => {
      this.#untold.push(...finished);
      throw error;
    });
    if (through.length > 0) {
      await this.#queue.addBulk(
        through.map(({ id, ticket, body }) => ({
          name: this.#kind,
          data: hintOf(this.#kind, id, body),
          opts: { ...HINT_JOB_OPTIONS, jobId: ticket },
        })),
      );
    }
    return new Map(through.map(({ id, ticket }) => [id, ticket]));
  }
}
