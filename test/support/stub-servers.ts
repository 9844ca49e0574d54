import type { StreamCall, Transport, UnaryCall } from '../../libs/triton/src/transport.js';
import { TritonError } from '../../libs/triton/src/triton-error.js';
import { addressOf } from '../../libs/triton/src/endpoints/endpoint-address.js';

/** Support for specs: a server that does as it is told. */
export class StubServer implements Transport {
  readonly address: string;
  readonly serverName: string | undefined;
  /** What it answers to ServerReady; an error is thrown, a promise waited for. */
  ready: boolean | TritonError | Promise<boolean> = true;
  /** Each call but ServerReady is given to it. */
  behave: (call: UnaryCall | StreamCall) => unknown = () => 'answer';
  /** How many calls it got, ServerReady aside. */
  calls = 0;
  probes: UnaryCall[] = [];
  closed = false;

  constructor(address: string, serverName?: string) {
    this.address = address;
    this.serverName = serverName;
  }

  async unary(call: UnaryCall): Promise<never> {
    if (call.operation === 'ServerReady') {
      this.probes.push(call);
      const ready = await this.ready;
      if (ready instanceof TritonError) throw ready;
      return ready as never;
    }
    this.calls++;
    return (await this.behave(call)) as never;
  }

  async *stream(call: StreamCall): AsyncGenerator<never> {
    this.calls++;
    yield* this.behave(call) as AsyncIterable<never>;
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** The servers that were connected to, by the last number of their address: `server(2)` is 10.0.0.2:8001. */
export class StubServers {
  readonly connected: StubServer[] = [];

  readonly connect = (url: URL, serverName?: string): StubServer => {
    const server = new StubServer(addressOf(url), serverName);
    this.connected.push(server);
    return server;
  };

  /** The last one that was connected to at this address. */
  server(last: number): StubServer {
    const found = this.connected.findLast(({ address }) => address === `10.0.0.${last}:8001`);
    if (found === undefined) throw new Error(`nobody has connected to ${last}`);
    return found;
  }

  get calls(): number[] {
    return this.connected.map(({ calls }) => calls);
  }
}

export function urls(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `grpc://10.0.0.${at + 1}:8001`);
}

export const refused = new TritonError('unavailable', 'connect ECONNREFUSED', {
  reason: 'connection',
});

export function refuse(): never {
  throw refused;
}

export async function readAll(answers: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const answer of answers) all.push(answer);
  return all;
}
