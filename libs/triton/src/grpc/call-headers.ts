import type { HeaderFields } from '../http2/hpack-encoder.js';
import type { Header } from '../http2/hpack-table.js';

export interface CallHeadersOptions {
  readonly secure: boolean;
  /** The name, or `host:port`, by which the server is asked. */
  readonly authority: string;
  readonly compression?: 'gzip' | 'deflate' | undefined;
}

/** The heads of gRPC requests to one server: what is the same in every call of a method is made once. */
export class CallHeaders {
  readonly #options: CallHeadersOptions;
  readonly #fixed = new Map<string, HeaderFields>();

  constructor(options: CallHeadersOptions) {
    this.#options = options;
  }

  /**
   * The head of one call.
   *
   * @param path of the method
   * @param deadline milliseconds of `performance.now()`
   */
  fields(path: string, metadata: readonly Header[], deadline: number | undefined): HeaderFields {
    let fixed = this.#fixed.get(path);
    if (fixed === undefined) {
      fixed = this.#fixedFields(path);
      this.#fixed.set(path, fixed);
    }
    if (metadata.length === 0 && deadline === undefined) return fixed;
    const more: HeaderFields = metadata.map((field) => [
      field,
      isPublic(field[0]) ? 'once' : 'secret',
    ]);
    if (deadline === undefined) return [...fixed, ...more];
    return [
      ...fixed,
      [['grpc-timeout', timeoutText(deadline - performance.now())], 'once'],
      ...more,
    ];
  }

  #fixedFields(path: string): HeaderFields {
    const { secure, authority, compression } = this.#options;
    const fields: Header[] = [
      [':method', 'POST'],
      [':scheme', secure ? 'https' : 'http'],
      [':path', path],
      [':authority', authority],
      ['te', 'trailers'],
      ['content-type', 'application/grpc'],
      ['user-agent', 'hammerline-triton'],
      ['grpc-accept-encoding', 'identity,deflate,gzip'],
    ];
    if (compression !== undefined) fields.push(['grpc-encoding', compression]);
    return fields.map((field) => [field, 'indexed'] as const);
  }
}

/** Whatever else a caller sends may prove an identity, under a name that only the two ends know. */
function isPublic(name: string): boolean {
  return name === 'traceparent' || name === 'tracestate';
}

/** As gRPC writes it: at most eight digits and a unit. A server must not give up before we do. */
function timeoutText(ms: number): string {
  const whole = Math.max(1, Math.ceil(ms));
  return whole < 1e8 ? `${whole}m` : `${Math.min(Math.ceil(whole / 1000), 99_999_999)}S`;
}
