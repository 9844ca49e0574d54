/** TLS as node:tls takes it. The server's certificate is always verified. */
export interface TlsOptions {
  /** PEM of the authorities that may have signed the server's certificate; default: those Node trusts. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[] | undefined;
  /** PEM of this client's certificate and key, where the server asks for one (mTLS). */
  readonly cert?: string | Buffer | undefined;
  /** PEM of the key of `cert`. */
  readonly key?: string | Buffer | undefined;
  /** Of an encrypted `key`. */
  readonly passphrase?: string | undefined;
  /** The name that the certificate must have; default: the host of the URL. */
  readonly serverName?: string | undefined;
}

/** What both transports can be told about a connection. Times are milliseconds. */
export interface ConnectionOptions {
  /** Only with `grpcs:` and `https:`. */
  readonly tls?: TlsOptions | undefined;
  /** Until TCP, TLS and the server's first words are there. Default 5,000. */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * A gRPC connection with calls under way on which nothing was heard for so long is asked for a sign of life. Default 300,000,
   * what Triton tolerates; a lower one needs its `--grpc-http2-min-recv-ping-interval-without-data`.
   */
  readonly keepAliveMs?: number | undefined;
  /** How long that sign may take, before the connection counts as dead. Default 10,000. */
  readonly keepAliveTimeoutMs?: number | undefined;
  /** HTTP only: connections at most, each of which carries one call or stream at a time; others wait. Default 64. */
  readonly connections?: number | undefined;
  /** How requests are compressed; answers are accepted in any of them. Default: not at all. */
  readonly compression?: 'gzip' | 'deflate' | undefined;
  /** Bytes of the largest answer that is taken, after decompression. Default, and at most, 2^31 - 1. */
  readonly maxMessageBytes?: number | undefined;
}
