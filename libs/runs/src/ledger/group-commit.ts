import { HammerlineError } from '#libs/contracts';
import { isLedgerAway } from './pool.js';

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * What comes together goes to the ledger together: one batch is under way, the next collects meanwhile. What comes alone
 * waits for nothing. An item that Postgres refuses (a NUL, half a character) is found by halving its batch; its neighbours
 * are committed.
 */
export class GroupCommit<Item, Result> {
  readonly #send: (items: readonly Item[]) => Promise<readonly Result[]>;
  readonly #keyOf: (item: Item) => string;
  readonly #maxBatch: number;
  readonly #maxWaiting: number;
  #waiting: Waiting<Item, Result>[] = [];
  #isBusy = false;

  /**
   * @param options.send commits a batch in one statement and gives each item's result, in order
   * @param options.keyOf items of one key are never in one batch: a statement changes a row once
   * @param options.maxBatch most items in one statement
   * @param options.maxWaiting most items that wait; one more is refused as `unavailable`
   */
  constructor(options: {
    send: (items: readonly Item[]) => Promise<readonly Result[]>;
    keyOf: (item: Item) => string;
    maxBatch: number;
    maxWaiting: number;
  }) {
    this.#send = options.send;
    this.#keyOf = options.keyOf;
    this.#maxBatch = options.maxBatch;
    this.#maxWaiting = options.maxWaiting;
  }

  /** Resolves once the item is committed. */
  submit(item: Item): Promise<Result> {
    if (this.#waiting.length >= this.#maxWaiting) {
      const message = 'More waits to be written than the ledger takes now. Try again in a moment.';
      return Promise.reject(new HammerlineError('unavailable', message));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (!this.#isBusy) void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    this.#isBusy = true;
    while (this.#waiting.length > 0) {
      const batch = new Map<string, Waiting<Item, Result>>();
      const later: Waiting<Item, Result>[] = [];
      for (const one of this.#waiting) {
        const key = this.#keyOf(one.item);
        if (batch.size >= this.#maxBatch || batch.has(key)) later.push(one);
        else batch.set(key, one);
      }
      this.#waiting = later;
      await this.#commit([...batch.values()]);
    }
    this.#isBusy = false;
  }

  async #commit(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#send(batch.map(({ item }) => item));
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result);
    } catch (error) {
      const isAway = isLedgerAway(error);
      if (batch.length === 1 || isAway) {
        // What waits would only find the same, later: who submitted it knows whether to try again.
        const told = isAway ? [...batch, ...this.#waiting.splice(0)] : batch;
        for (const { reject } of told) reject(error);
        return;
      }
      const half = Math.ceil(batch.length / 2);
      await this.#commit(batch.slice(0, half));
      await this.#commit(batch.slice(half));
    }
  }
}
