import type { Runs } from '#libs/runs';

const LOOK_EVERY_MS = 250;

interface Lease {
  holder: string | null;
  lost: AbortController;
}

/**
 * This process's leases on the calls that it makes. A lease is lost once others may have called the process dead: the
 * call may be made again elsewhere from then on.
 */
export class Leases {
  readonly #epoch: Pick<Runs['epoch'], 'id' | 'isFresh'>;
  readonly #open = new Set<Lease>();
  #timer: NodeJS.Timeout | undefined;

  constructor(epoch: Pick<Runs['epoch'], 'id' | 'isFresh'>) {
    this.#epoch = epoch;
  }

  /** Whether calls that were claimed under this epoch are still this process's to make. */
  isHeld(holder: string | null): boolean {
    return this.#epoch.isFresh() && this.#epoch.id === holder;
  }

  /** @returns a signal that aborts when the lease is lost; release it when the call is over */
  watch(holder: string | null): { signal: AbortSignal; release(): void } {
    const lease = { holder, lost: new AbortController() };
    this.#open.add(lease);
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
    return {
      signal: lease.lost.signal,
      release: () => {
        this.#open.delete(lease);
        if (this.#open.size > 0) return;
        clearInterval(this.#timer);
        this.#timer = undefined;
      },
    };
  }

  #look(): void {
    for (const { holder, lost } of this.#open) if (!this.isHeld(holder)) lost.abort();
  }
}
