import {
  type CallOptions,
  type InferRequest,
  output,
  tensor,
  toStrings,
  type TritonClient,
} from '#libs/triton';

/** The URL schemes of the two transports. */
export const TRANSPORTS = ['grpc', 'http'] as const;
export type TransportName = (typeof TRANSPORTS)[number];

/** Every way to stream text. */
export const STREAMS = [
  ['grpc', 'generateStream'],
  ['grpc', 'streamInfer'],
  ['grpc', 'openStream'],
  ['http', 'generateStream'],
] as const;
export type StreamMethod = (typeof STREAMS)[number][1];

/** What the model `text` is to do; see script.py in its folder. */
export interface TextScript {
  readonly tokens: readonly string[];
  readonly every_ms?: number;
  readonly hang?: number;
}

/** Sends numbers to the model `identity` and gives back what came. */
export async function echo(
  client: TritonClient,
  values: readonly number[] | Float32Array,
  options?: CallOptions,
): Promise<Float32Array> {
  const inputs = { INPUT0: tensor('FP32', values) };
  return output(await client.infer({ model: 'identity', inputs }, options), 'OUTPUT0', 'FP32').data;
}

/** Keeps the model `slow` busy. */
export function wait(
  client: TritonClient,
  { id, ms }: { id?: string; ms: number },
  options?: CallOptions,
): Promise<unknown> {
  return client.infer({ model: 'slow', id, inputs: { MS: tensor('INT32', [[ms]]) } }, options);
}

/** The tokens of the model `text` as they come. `id` is known to the server with `streamInfer` only. */
export async function* streamText(
  client: TritonClient,
  method: StreamMethod,
  script: TextScript,
  { id, ...options }: CallOptions & { id?: string } = {},
): AsyncGenerator<string, void, undefined> {
  const sampling = JSON.stringify({ script });
  if (method === 'generateStream') {
    const fields = { text_input: 'x', stream: true, sampling_parameters: sampling };
    const answers = client.generateStream({ model: 'text', fields }, options);
    for await (const { text_output } of answers) yield text_output as string;
    return;
  }
  const inputs = {
    text_input: tensor('BYTES', ['x']),
    stream: tensor('BOOL', [true]),
    sampling_parameters: tensor('BYTES', [sampling]),
  };
  const request: InferRequest = { model: 'text', id, inputs };
  const stream = method === 'openStream' ? client.openStream() : undefined;
  try {
    const answers = stream?.infer(request, options) ?? client.streamInfer(request, options);
    for await (const answer of answers) yield* toStrings(output(answer, 'text_output', 'BYTES'));
  } finally {
    stream?.cancel();
  }
}

/** All that a stream gives; rejects if it fails. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of stream) values.push(value);
  return values;
}

/** The next ones of a stream, which goes on. */
export async function take<T>(stream: AsyncIterator<T>, count: number): Promise<T[]> {
  const values: T[] = [];
  while (values.length < count) {
    const { done, value } = await stream.next();
    if (done === true) throw new Error(`the stream ended after ${values.length} of ${count}`);
    values.push(value);
  }
  return values;
}
