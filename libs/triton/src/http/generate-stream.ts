import type { IncomingHttpHeaders } from 'node:http';
import type { GenerateFields } from '../protocol.js';
import type { PushQueue } from '../push-queue.js';
import { tooLarge } from '../too-large.js';
import type { TritonError } from '../triton-error.js';
import { answerError, errorText, generateError } from './answer-error.js';
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

/** What an answer weighs besides its bytes: an object of no content takes memory, too. */
const ANSWER_BYTES = 512;

/** Puts the answers of `/generate_stream` into a queue as they come; what each weighs is its bytes and ANSWER_BYTES. */
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
      hasRoom = this.#outlet.answers.push(this.#fields(event), event.length + ANSWER_BYTES);
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
    const fields = readJson(event);
    const message = errorText(fields);
    if (message !== undefined) {
      const progress = this.answered ? 'answered' : 'sent';
      throw generateError(message, this.#status).with({ progress });
    }
    this.answered = true;
    if (!isObject(fields)) throw broken("the model's answer is no JSON object");
    return fields as GenerateFields;
  }

  get #isStream(): boolean {
    return /^text\/event-stream\b/i.test(this.#headers['content-type'] ?? '');
  }
}
