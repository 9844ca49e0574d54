import { ejectionMs, type Health } from './health.js';

/**
 * The models whose process is dead at an endpoint, or that are loaded elsewhere only. One failure suffices, as it is
 * certain; no probe shows that a model is mended, only a call that succeeds.
 */
export class BrokenModels {
  readonly #health: Health;
  /** By model: until when it gets no calls (`performance.now()`), and how many times in a row it has been ejected. */
  readonly #ejected = new Map<string, { readonly until: number; readonly ejections: number }>();

  constructor(health: Health) {
    this.#health = health;
  }

  get size(): number {
    return this.#ejected.size;
  }

  get names(): string[] {
    return [...this.#ejected.keys()];
  }

  /** Whether a call of it may try. */
  runs(model: string): boolean {
    const { until = -Infinity } = this.#ejected.get(model) ?? {};
    return performance.now() >= until;
  }

  /** A call of it begins: the first after its time is the trial, and counts as failed until it succeeds. */
  enter(model: string): void {
    const broken = this.#ejected.get(model);
    if (broken !== undefined && this.runs(model)) this.#eject(model, broken.ejections + 1);
  }

  answered(model: string): void {
    this.#ejected.delete(model);
  }

  failed(model: string): void {
    if (!this.#ejected.has(model)) this.#eject(model, 1);
  }

  #eject(model: string, ejections: number): void {
    const until = performance.now() + ejectionMs(this.#health, ejections);
    this.#ejected.set(model, { until, ejections });
  }
}
