import { bytesText } from './models-text.js';

const EVERY_MS = 200;

/** One line on stderr that is written again and again; nothing where stderr is no terminal. */
export class Progress {
  readonly #label: string;
  readonly #total: number;
  readonly #began = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #done = 0;
  /** Came in this process: what was there before says nothing of the speed. */
  #came = 0;

  constructor(label: string, total: number) {
    this.#label = label;
    this.#total = total;
    if (process.stderr.isTTY) this.#timer = setInterval(() => this.#show(), EVERY_MS);
  }

  add(bytes: number): void {
    this.#done += bytes;
    // What an earlier process left comes in one piece, before the first from the network.
    if (performance.now() - this.#began > EVERY_MS) this.#came += Math.max(0, bytes);
  }

  end(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    process.stderr.write('\r\u001B[K');
  }

  #show(): void {
    const seconds = (performance.now() - this.#began) / 1000;
    const share = this.#total === 0 ? 100 : Math.floor((100 * this.#done) / this.#total);
    const state = this.#done >= this.#total ? 'checking' : `${bytesText(this.#came / seconds)}/s`;
    const line = `${this.#label}  ${bytesText(this.#done)} of ${bytesText(this.#total)}  ${share} %  ${state}`;
    process.stderr.write(`\r\u001B[K${line}`);
  }
}
