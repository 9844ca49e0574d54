import { afterAll, beforeAll, expect } from 'vitest';
import { type ClientOptions, TritonClient, TritonError } from '#libs/triton';
import { type Observation, startTestTriton, type TestTriton } from '../../support/triton.js';

export const protocols = ['grpc', 'http'] as const;
export type Protocol = (typeof protocols)[number];

/** A real Triton for the tests of one file, and clients of it. */
export interface TritonInUse {
  readonly server: TestTriton;
  /** `grpc://host:port` or `http://host:port` */
  url(protocol: Protocol): string;
  /** One client a protocol, with the options of `useTriton`, closed at the end. */
  client(protocol: Protocol): TritonClient;
  /** A further client, closed at the end, too. */
  connect(protocol: Protocol, options?: ClientOptions): TritonClient;
  /** What the model saw when that happened to the request of this id; waits for it. */
  saw(id: string, event: Observation['event']): Promise<Observation>;
  /** How the model ended with the request of this id; waits for it. */
  ended(id: string): Promise<Observation['event']>;
}

/** Starts a server before the tests of the file that calls this, and stops it after them. */
export function useTriton(
  options: Parameters<typeof startTestTriton>[0] = {},
  clientOptions: ClientOptions = {},
): TritonInUse {
  let server: TestTriton | undefined;
  const clients = new Map<Protocol, TritonClient>();
  const opened: TritonClient[] = [];
  const started = (): TestTriton => {
    if (server === undefined) throw new Error('the server starts with the first test');
    return server;
  };
  const url = (protocol: Protocol): string =>
    protocol === 'grpc' ? `grpc://${started().grpc}` : started().http;
  const connect: TritonInUse['connect'] = (protocol, more) => {
    const client = new TritonClient(url(protocol), more);
    opened.push(client);
    return client;
  };

  beforeAll(async () => {
    server = await startTestTriton(options);
    for (const protocol of protocols) clients.set(protocol, connect(protocol, clientOptions));
  });
  afterAll(async () => {
    await Promise.all(opened.map((client) => client.close()));
    // To end by itself takes Triton seconds.
    await server?.kill();
    await server?.stop();
  });

  return {
    get server() {
      return started();
    },
    url,
    connect,
    saw: (id, event) => started().observed((seen) => seen.id === id && seen.event === event),
    async ended(id) {
      return (await started().observed((seen) => seen.id === id && seen.event !== 'started')).event;
    },
    client: (protocol) => clients.get(protocol) ?? connect(protocol, clientOptions),
  };
}

/** The error of a call that must fail. */
export async function failureOf(call: Promise<unknown>): Promise<TritonError> {
  const outcome = await call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('value' in outcome) expect.fail(`the call did not fail: ${text(outcome.value)}`);
  expect(outcome.error).toBeInstanceOf(TritonError);
  return outcome.error as TritonError;
}

/** All that a stream gives before it ends. */
export async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

/** What a stream that must fail gives before, and its error. */
export async function untilFailure<T>(
  stream: AsyncIterable<T>,
): Promise<{ readonly items: readonly T[]; readonly error: TritonError }> {
  const items: T[] = [];
  const read = async (): Promise<void> => {
    for await (const item of stream) items.push(item);
  };
  return { error: await failureOf(read()), items };
}

function text(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'bigint' ? `${part}n` : part,
  ).slice(0, 500);
}
