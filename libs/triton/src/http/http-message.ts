import type { IncomingHttpHeaders } from 'node:http';
import type { UnaryOperations } from '../transport.js';

export type Encoding = 'gzip' | 'deflate';

/** A request of Triton's REST interface, before the connection's own header fields. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** In pieces, to be sent one after the other. */
  readonly body?: readonly Uint8Array[];
  /** Bytes of the JSON before binary tensors. Only such a request may be compressed: Triton reads others as they come. */
  readonly jsonLength?: number;
  /** How the body is compressed. */
  readonly encoding?: Encoding;
}

/** A whole answer, decompressed. */
export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** How an operation goes over HTTP. */
export interface HttpOperation<O extends keyof UnaryOperations> {
  readonly encode: (request: UnaryOperations[O][0]) => HttpRequest;
  /** Judges the status, too. */
  readonly decode: (answer: HttpAnswer) => UnaryOperations[O][1];
}
