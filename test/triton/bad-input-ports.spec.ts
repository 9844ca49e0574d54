import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, tensor, TritonClient, type TritonError } from '#libs/triton';
import { authority, FOREIGN, startForeign } from './support/foreign-servers.js';
import { all, failureOf, useTriton } from './support/protocols.js';

const SCHEMES = ['grpc', 'grpcs', 'http', 'https'] as const;
type Scheme = (typeof SCHEMES)[number];
type Port = keyof typeof FOREIGN | 'nothing' | 'gRPC' | 'HTTP' | 'metrics';

/** Code, reason and the words that say which it is. */
type Fault = readonly [code: string, reason: string | undefined, words: RegExp];

const HTTP1: Fault = ['unavailable', 'protocol', /speaks HTTP\/1 .*is this the gRPC port\?/];
const PLAIN: Fault = ['unavailable', 'tls', /is it a plain port/];
const NO_TRITON: Fault = ['unavailable', 'protocol', /^what answers is no Triton/];
const NO_HTTP1: Fault = ['unavailable', 'protocol', /does not speak HTTP\/1\.1/];
const NO_HTTP2: Fault = ['unavailable', 'protocol', /breaks HTTP\/2/];
const EXPIRED: Fault = ['unavailable', 'tls', /certificate has expired/];
const CLOSED: Fault = ['unavailable', 'connection', /closed/];
const CLOSED_UNHEARD: Fault = ['unavailable', 'connection', /closed.*gRPC port\?/];
const REFUSED: Fault = ['unavailable', 'connection', /ECONNREFUSED/];
const SILENT: Fault = ['unavailable', 'connection', /within 300 ms|timeout: 300ms/];
const NOT_H2: Fault = ['unavailable', 'protocol', /speaks TLS, but not HTTP\/2/];
const NOT_HTTP11: Fault = ['unavailable', 'protocol', /speaks TLS, but not HTTP\/1\.1/];

const FOUND: Readonly<Record<Port, Readonly<Partial<Record<Scheme, Fault>>>>> = {
  'a web server': { grpc: HTTP1, grpcs: PLAIN, http: NO_TRITON, https: PLAIN },
  'another API': { grpc: HTTP1, grpcs: PLAIN, http: NO_TRITON, https: PLAIN },
  'a web server with TLS': { grpc: CLOSED, grpcs: NOT_H2, http: CLOSED, https: NO_TRITON },
  'a web server with an expired certificate': { https: EXPIRED },
  'an HTTP/2 server with an expired certificate': { grpcs: EXPIRED, https: NOT_HTTP11 },
  'a database that waits for a command': {
    grpc: NO_HTTP2,
    grpcs: PLAIN,
    http: NO_HTTP1,
    https: PLAIN,
  },
  'a server that greets': { grpc: NO_HTTP2, grpcs: PLAIN, http: NO_HTTP1, https: PLAIN },
  // A request over HTTP is sent unasked, and then waited for as long as the caller says.
  'a server that says nothing': {
    grpc: SILENT,
    grpcs: SILENT,
    http: ['deadline_exceeded', undefined, /no answer within 2 s/],
    https: SILENT,
  },
  'a server that hangs up': { grpc: CLOSED_UNHEARD, grpcs: PLAIN, http: CLOSED, https: PLAIN },
  nothing: { grpc: REFUSED, grpcs: REFUSED, http: REFUSED, https: REFUSED },
  gRPC: {
    grpcs: PLAIN,
    http: ['unavailable', 'protocol', /is this its gRPC port\?/],
    https: PLAIN,
  },
  // Triton's own HTTP server hangs up on what it does not understand.
  HTTP: { grpc: CLOSED_UNHEARD, grpcs: PLAIN, https: PLAIN },
  metrics: { grpc: CLOSED_UNHEARD, grpcs: PLAIN, https: PLAIN },
};

const triton = useTriton({ models: ['identity'] });
const addresses = new Map<string, string>();
const closing: (() => void)[] = [];

beforeAll(async () => {
  for (const [what, make] of Object.entries(FOREIGN)) {
    const { address, close } = await startForeign(make());
    addresses.set(what, address);
    closing.push(close);
  }
  const gone = await startForeign(FOREIGN['a web server']());
  gone.close();
  addresses.set('nothing', gone.address);
  addresses.set('gRPC', triton.server.grpc);
  addresses.set('HTTP', new URL(triton.server.http).host);
  addresses.set('metrics', new URL(triton.server.metrics).host);
});
afterAll(() => {
  for (const close of closing) close();
});

const OPERATIONS: Readonly<Record<string, (client: TritonClient) => Promise<unknown>>> = {
  serverLive: (client) => client.serverLive(),
  modelReady: (client) => client.modelReady('identity'),
  infer: (client) => client.infer({ model: 'identity', inputs: { INPUT0: tensor('FP32', [1]) } }),
  generateStream: (client) =>
    all(
      client.generateStream({ model: 'text', fields: { text_input: 'a' } }, { timeoutMs: 2_000 }),
    ),
};

const cases = Object.entries(FOUND).flatMap(([port, schemes]) =>
  Object.entries(schemes).map(([scheme, fault]) => ({ port, scheme, fault })),
);

describe.each(cases)('$scheme: and $port', ({ port, scheme, fault: [code, reason, words] }) => {
  it('each operation fails, and says so', async () => {
    const options: ClientOptions = {
      checkInputs: false,
      connectTimeoutMs: 300,
      timeoutMs: 2_000,
      retry: false,
      ...(scheme.endsWith('s') && { tls: { ca: authority.cert } }),
    };
    const client = new TritonClient(`${scheme}://${addresses.get(port)}`, options);
    const failures = await Promise.all(
      Object.entries(OPERATIONS).map(async ([name, ask]): Promise<[string, TritonError]> => {
        return [name, await failureOf(ask(client))];
      }),
    );
    await client.close();
    const known = ({
      code: its,
      reason: why,
      message,
      endpoint,
      progress,
    }: TritonError): unknown => ({
      code: its,
      reason: why,
      message,
      endpoint,
      answered: progress === 'answered',
    });
    expect(Object.fromEntries(failures.map(([name, error]) => [name, known(error)]))).toEqual(
      Object.fromEntries(
        failures.map(([name]) => [
          name,
          {
            code,
            reason,
            message: expect.stringMatching(words) as string,
            endpoint: addresses.get(port),
            answered: false,
          },
        ]),
      ),
    );
  });
});

// Triton's metrics port answers any GET with status 200 and no body, as the HTTP port does to say that it lives.
it('http: and metrics: whatever has an answer fails, and says so', async () => {
  const client = new TritonClient(new URL(triton.server.metrics).origin, { checkInputs: false });
  for (const ask of [
    () => client.serverMetadata(),
    () => client.modelMetadata('identity'),
    () => client.repositoryIndex(),
    OPERATIONS['infer'],
    OPERATIONS['generateStream'],
  ]) {
    expect(ask && (await failureOf(ask(client)))).toMatchObject({
      code: 'unavailable',
      reason: 'protocol',
      message: expect.stringMatching(NO_TRITON[2]) as string,
    });
  }
  await client.close();
});

it('a name that nothing is called: unavailable, connection', async () => {
  for (const scheme of SCHEMES) {
    const client = new TritonClient(`${scheme}://nothing.invalid:1`, { retry: false });
    expect(await failureOf(client.serverLive())).toMatchObject({
      code: 'unavailable',
      reason: 'connection',
      progress: 'unsent',
      endpoint: 'nothing.invalid:1',
      message: expect.stringContaining('nothing.invalid') as string,
    });
    await client.close();
  }
});

it.each(['ftp://127.0.0.1:21', 'grpc:', 'no address', 'http://user:secret@127.0.0.1', ''])(
  'the address %s is refused at once',
  (address) => {
    expect(() => new TritonClient(address)).toThrow(
      expect.objectContaining({ name: 'TritonError', code: 'invalid_argument' }) as Error,
    );
  },
);
