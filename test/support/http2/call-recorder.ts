import type { TritonError } from '../../../libs/triton/src/triton-error.js';
import type { Header } from '../../../libs/triton/src/http2/hpack-table.js';
import type { HeaderFields } from '../../../libs/triton/src/http2/hpack-encoder.js';
import type { Http2Connection } from '../../../libs/triton/src/http2/http2-connection.js';
import type { Http2Stream, StreamHandler } from '../../../libs/triton/src/http2/http2-stream.js';

/** Support for specs: a call on a connection, which keeps what it hears. */
export class CallRecorder implements StreamHandler {
  readonly stream: Http2Stream;
  /** Resolves with how the stream ended: undefined is well. */
  readonly done: Promise<TritonError | undefined>;
  readonly heads: (readonly Header[])[] = [];
  readonly parts: Buffer[] = [];
  /** Whether what came is given back to the server's window. */
  reads = true;
  #stream: Http2Stream | undefined;
  #owed = 0;
  #finish: (error: TritonError | undefined) => void = () => {};

  constructor(
    connection: Http2Connection,
    {
      path = '/',
      body = [],
      end = true,
    }: { path?: string; body?: readonly Uint8Array[]; end?: boolean } = {},
  ) {
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.stream = connection.request(head(path), this, body, end);
    this.#stream = this.stream;
  }

  get body(): Buffer {
    return Buffer.concat(this.parts);
  }

  /** Reads on, what is owed included. */
  resume(): void {
    this.reads = true;
    this.stream.credit(this.#owed);
    this.#owed = 0;
  }

  headers(fields: readonly Header[]): void {
    this.heads.push(fields);
  }

  data(part: Buffer): void {
    this.parts.push(Buffer.from(part));
    if (this.reads) this.#stream?.credit(part.length);
    else this.#owed += part.length;
  }

  end(): void {
    this.#finish(undefined);
  }

  error(error: TritonError): void {
    this.#finish(error);
  }
}

const fixed = (
  [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':authority', 'localhost'],
  ] as const
).map((field) => [field, 'indexed'] as const);

function head(path: string): HeaderFields {
  return [...fixed, [[':path', path], 'once']];
}
