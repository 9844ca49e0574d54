interface Event {
  at: number;
  act: () => void;
}

/** Simulated time: what is to happen, in order. Nothing in it depends on the machine. Times are milliseconds. */
export class Scheduler {
  now = 0;
  readonly #events: Event[] = [];
  #hasWoken = false;

  after(ms: number, act: () => void): void {
    const at = this.now + Math.max(ms, 0);
    // The next is the last. What comes at the same time happens in the order in which it was asked for.
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle]?.at ?? 0) > at) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, { at, act });
  }

  /** Runs simulated code, or settles what it awaits: all that follows from it happens before the next event. */
  wake(act: () => void): void {
    this.#hasWoken = true;
    act();
  }

  /** Lets all happen up to a time, or until nothing more is wanted. */
  async run(until: number, isDone: () => boolean = () => false): Promise<void> {
    while (!isDone()) {
      const next = this.#events.at(-1);
      if (!next || next.at > until) break;
      this.#events.pop();
      this.now = next.at;
      next.act();
      if (this.#hasWoken) await new Promise(setImmediate);
      this.#hasWoken = false;
    }
  }
}
