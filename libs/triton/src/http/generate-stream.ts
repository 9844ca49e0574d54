import type { IncomingHttpHeaders } from 'node:http';
import type { GenerateFields } from '../protocol.js';
import type { PushQueue } from '../push-queue.js';
import type { TritonError } from '../triton-error.js';
import { answerError, errorText, generateError } from './answer-error.js';
import { tooLarge } from './compression.js';
import { EventReader } from './event-reader.js';
import type { Receiver } from './exchange.js';
import { broken, isObject, readJson } from './json-text.js';

interface Outlet {
  readonly answers: PushQueue<GenerateFields>;
  /** Called when the queue has no room for more. */
  readonly pause: () => void;
  /** Names the call in an error. */
  readonly explain: (error: TritonError) => TritonError;
}

/** Puts the answers of `/generate_stream` into a queue as they come; what each weighs is its bytes. */
export class GenerateStream implements Receiver {
  answered = false;
  readonly #outlet: Outlet;
  readonly #maxBytes: number;
  readonly #reader: EventReader;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  /** Of an answer that is no stream. */
  readonly #body: Buffer[] = [];
  #bodyBytes = 0;

  constructor(outlet: Outlet, maxBytes: number) {
    this.#outlet = outlet;
    this.#maxBytes = maxBytes;
    this.#reader = new EventReader(maxBytes);
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
    let hasRoom = true;
    for (const event of this.#reader.read(chunk)) {
      hasRoom = this.#outlet.answers.push(this.#fields(event), event.length);
    }
    if (!hasRoom) this.#outlet.pause();
  }

  ended(): void {
    const body = Buffer.concat(this.#body);
    if (!this.#isStream || this.#status !== 200) {
      throw answerError({ status: this.#status, headers: this.#headers, body });
    }
    if (this.#reader.partial) throw broken('the stream ends within an event');
    this.#outlet.answers.end();
  }

  failed(error: TritonError): void {
    const drop = error.code === 'cancelled' || error.code === 'deadline_exceeded';
    this.#outlet.answers.fail(this.#outlet.explain(error), { drop });
  }

  #fields(event: Buffer): GenerateFields {
    const before = this.answered;
    this.answered = true;
    const fields = readJson(event);
    const message = errorText(fields);
    if (message !== undefined) {
      this.answered = before;
      throw generateError(message, this.#status);
    }
    if (!isObject(fields)) throw broken("the model's answer is no JSON object");
    return fields as GenerateFields;
  }

  get #isStream(): boolean {
    return /^text\/event-stream\b/i.test(this.#headers['content-type'] ?? '');
  }
}
