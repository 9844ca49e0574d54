/** What one answered request says of its server. */
export interface Sample {
  /** Requests of this process at its servers when this one was sent, itself and those sent with it included. */
  readonly inFlight: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** From sending to the first token: what it waited at the server, and its prompt. */
  readonly firstTokenMs: number;
  readonly totalMs: number;
}

/** How many requests may be at the servers at once. */
export interface Limit {
  readonly current: number;
  setServers(servers: number): void;
  record(sample: Sample): void;
  /**
   * A server refused a request because it has too much to do. Returns whether that is mended by the limit, which fell
   * now or since the request was sent; false: it can fall no further.
   *
   * @param agoMs since that request was sent
   */
  refused(agoMs: number): boolean;
}

/** A limit that an operator chose. */
export function fixedLimit(current: number): Limit {
  return {
    current,
    setServers: () => undefined,
    record: () => undefined,
    refused: () => false,
  };
}
