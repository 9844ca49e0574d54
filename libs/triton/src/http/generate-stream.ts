import type { IncomingHttpHeaders } from 'node:http';
import type { GenerateFields } from '../protocol.js';
import type { Progress, TritonError } from '../triton-error.js';
import { answerError, errorText, generateError } from './answer-error.js';
import { tooLarge } from './compression.js';
import { EventReader } from './event-reader.js';
import type { Receiver } from './exchange.js';
import { broken, isObject, readJson } from './json-text.js';

/** Events that wait for the caller, before the connection is not read further. */
const ENOUGH = 16;

interface Flow {
  pause(): void;
  resume(): void;
}

/** The answers of `/generate_stream` as they come. */
export class GenerateStream implements Receiver {
  answered = false;
  readonly #maxBytes: number;
  readonly #reader: EventReader;
  #flow: Flow | undefined;
  readonly #events: Buffer[] = [];
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  /** Of an answer that is no stream. */
  readonly #body: Buffer[] = [];
  #bodyBytes = 0;
  #end: { readonly error?: TritonError } | undefined;
  #wake: (() => void) | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#reader = new EventReader(maxBytes);
  }

  /** To be read once. Ends, or throws, when all that came is read; a call that was given up throws at once. */
  async *answers(flow: Flow): AsyncGenerator<GenerateFields> {
    this.#flow = flow;
    let progress: Progress = 'sent';
    for (;;) {
      const event = this.#events.shift();
      if (event) {
        yield this.#fields(event, progress);
        progress = 'answered';
      } else if (this.#end) {
        if (this.#end.error) throw this.#end.error;
        return;
      } else {
        // Made first: resuming may bring events at once.
        const more = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        flow.resume();
        await more;
      }
    }
  }

  started(status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
    const encoding = headers['content-encoding'];
    if (encoding !== undefined) throw broken(`the stream is encoded as ${encoding}, unasked`);
  }

  received(chunk: Buffer): void {
    if (!this.#isStream) {
      this.#body.push(chunk);
      this.#bodyBytes += chunk.length;
      if (this.#bodyBytes > this.#maxBytes) throw tooLarge(this.#maxBytes);
      return;
    }
    for (const event of this.#reader.read(chunk)) {
      this.#events.push(event);
      this.answered = true;
    }
    if (this.#events.length >= ENOUGH) this.#flow?.pause();
    if (this.#events.length > 0) this.#wake?.();
  }

  ended(): void {
    const body = Buffer.concat(this.#body);
    const answer = { status: this.#status, headers: this.#headers, body };
    if (!this.#isStream || this.#status !== 200) this.#finish(answerError(answer));
    else this.#finish(this.#reader.partial ? broken('the stream ends within an event') : undefined);
  }

  failed(error: TritonError): void {
    if (error.code === 'cancelled' || error.code === 'deadline_exceeded') this.#events.length = 0;
    this.#finish(error);
  }

  #fields(event: Buffer, progress: Progress): GenerateFields {
    const fields = readJson(event);
    const message = errorText(fields);
    if (message !== undefined) throw generateError(message, this.#status).with({ progress });
    if (!isObject(fields)) throw broken("the model's answer is no JSON object");
    return fields as GenerateFields;
  }

  get #isStream(): boolean {
    return /^text\/event-stream\b/i.test(this.#headers['content-type'] ?? '');
  }

  #finish(error: TritonError | undefined): void {
    this.#end = error ? { error } : {};
    this.#wake?.();
  }
}
