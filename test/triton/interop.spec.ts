import { spawn } from 'node:child_process';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type DataType,
  type InferAnswer,
  type InferMessage,
  type InferRequest,
  type Tensor,
  tensor,
  TritonClient,
} from '#libs/triton';
import { setupReferences } from '../../bench/triton-references.js';
import { grpcMethods } from '../../libs/triton/src/grpc/methods.js';
import { httpOperations } from '../../libs/triton/src/http/http-operations.js';
import { rawPieces } from '../../libs/triton/src/raw-tensor.js';
import { EDGES, TYPES } from './support/edge-values.js';
import { protocols, useTriton } from './support/protocols.js';

interface Request extends InferRequest {
  readonly inputs: Readonly<Record<string, Tensor>>;
}

const edges = (type: DataType): Tensor => tensor(type, EDGES[type], [1, EDGES[type].length]);
const INPUT0 = tensor('FP32', [[4, 3, 2, 1]]);
const text = (value: string): Tensor => tensor('BYTES', [value]);

const REQUESTS: Readonly<Record<string, Request>> = {
  ...Object.fromEntries(
    TYPES.map((type) => [type, { model: 'types', inputs: { [type]: edges(type) } }]),
  ),
  'all types': {
    model: 'types',
    inputs: Object.fromEntries(TYPES.map((type) => [type, edges(type)])),
  },
  'an empty tensor': { model: 'identity', inputs: { INPUT0: tensor('FP32', []) } },
  'empty and long texts': {
    model: 'types',
    inputs: {
      BYTES: tensor('BYTES', [
        ['', 'ü'.repeat(70_000)],
        ['\0', ''],
      ]),
    },
  },
  'an id': { model: 'batched', id: 'Größe 1', inputs: { INPUT0 } },
  'a version': { model: 'batched', version: '1', inputs: { INPUT0 } },
  // In the order of their names: protobuf sorts what has no order.
  parameters: {
    model: 'batched',
    parameters: { flag: true, great: 2 ** 40, real: 0.5, text: 'ü', whole: -3 },
    inputs: { INPUT0 },
  },
  'priority and time-out': {
    model: 'batched',
    parameters: { priority: 2, timeout: 1_000_000 },
    inputs: { INPUT0 },
  },
  outputs: {
    model: 'types',
    inputs: { INT8: edges('INT8'), BYTES: edges('BYTES') },
    outputs: ['OUT_BYTES', 'OUT_INT8'],
  },
  classification: {
    model: 'batched',
    inputs: { INPUT0 },
    outputs: [{ name: 'OUTPUT0', classification: 3 }],
  },
};

const streaming = (script: object): Request => ({
  model: 'text',
  id: 'stream',
  inputs: {
    text_input: text('a b'),
    stream: tensor('BOOL', [true]),
    return_num_output_tokens: tensor('BOOL', [true]),
    return_finish_reason: tensor('BOOL', [true]),
    sampling_parameters: text(JSON.stringify({ script })),
  },
});
const STREAMS: Readonly<Record<string, Request>> = {
  'a text': streaming({ tokens: ['a', 'Größe', '', '🌍'] }),
  'a text that is not UTF-8': streaming({ tokens: ['a', 'b', 'c'], malformed: 1 }),
  'an error': streaming({ tokens: ['a', 'b', 'c'], error: { after: 2, message: 'größe' } }),
};

/** Of either client: tensors as their bytes in base64. */
interface Answer {
  readonly model: string;
  readonly version: string;
  readonly id: string;
  readonly outputs: Readonly<Record<string, { datatype: string; shape: number[]; raw: string }>>;
}
interface Sent {
  readonly grpc: { readonly sent: string; readonly answer: Answer };
  readonly http: {
    readonly path: string;
    readonly json: { readonly parameters?: object; readonly outputs?: object };
    readonly binary: string;
    readonly answer: Answer;
  };
}

const triton = useTriton(
  { models: ['identity', 'types', 'batched', 'text'] },
  { checkInputs: false },
);
let python: { requests: Sent[]; streams: (Answer | { error: string })[][] };

beforeAll(async () => {
  const references = await setupReferences();
  const program = path.join(import.meta.dirname, 'support/python-client.py');
  const child = spawn(references.python, [program], {
    env: references.env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(
    JSON.stringify({
      grpc: triton.server.grpc,
      http: triton.server.http,
      requests: Object.values(REQUESTS).map(forPython),
      streams: Object.values(STREAMS).map(forPython),
    }),
  );
  python = (await json(child.stdout)) as typeof python;
});

function base64(tensorOf: Tensor): string {
  return Buffer.concat(rawPieces(tensorOf)).toString('base64');
}

function forPython({ inputs, outputs, parameters = {}, ...request }: Request): unknown {
  const { priority, timeout, ...own } = parameters;
  return {
    ...request,
    ...(priority !== undefined && { priority, timeout }),
    parameters: own,
    inputs: Object.entries(inputs).map(([name, given]) => ({
      name,
      datatype: given.datatype,
      shape: given.shape,
      raw: base64(given),
    })),
    outputs: outputs?.map((output) => (typeof output === 'string' ? { name: output } : output)),
  };
}

/** The message of a request as the client gives it to a transport. */
async function messageOf(request: Request): Promise<InferMessage> {
  let message: InferMessage | undefined;
  const client = new TritonClient(
    {
      unary(call) {
        message = call.request as InferMessage;
        return Promise.reject(new Error('seen'));
      },
      stream: () => {
        throw new Error('not asked');
      },
      close: () => Promise.resolve(),
    },
    { checkInputs: false },
  );
  await client.infer(request).catch(() => {});
  if (message === undefined) throw new Error('nothing was sent');
  return message;
}

function plain({ model, version, id, outputs }: InferAnswer): Answer {
  return {
    model,
    version,
    id,
    outputs: Object.fromEntries(
      Object.entries(outputs).map(([name, back]) => [
        name,
        { datatype: back.datatype, shape: [...back.shape], raw: base64(back) },
      ]),
    ),
  };
}

describe.each(Object.entries(REQUESTS).map(([what, request], at) => ({ what, request, at })))(
  'tritonclient and $what',
  ({ request, at }) => {
    const theirs = (): Sent => {
      const sent = python.requests[at];
      if (sent === undefined) throw new Error('Python did not answer');
      return sent;
    };

    it('the same bytes go over gRPC', async () => {
      const ours = Buffer.concat(grpcMethods.ModelInfer.encode(await messageOf(request)));
      expect(ours.toString('base64')).toBe(theirs().grpc.sent);
    });

    it('the same goes over HTTP', async () => {
      const ours = httpOperations.ModelInfer.encode(await messageOf(request));
      const { path: ourPath, jsonLength = 0 } = ours;
      const body = Buffer.concat(ours.body ?? []);
      const http = theirs().http;
      expect(ourPath).toBe(http.path);
      expect(body.toString('base64', jsonLength)).toBe(http.binary);
      // Where outputs are named, each says for itself that it is to be binary.
      const parameters = { binary_data_output: true, ...http.json.parameters };
      expect(JSON.parse(body.toString('utf8', 0, jsonLength))).toEqual({
        ...http.json,
        parameters,
      });
    });

    it.each(protocols)('the same comes back over %s', async (protocol) => {
      const answer = await triton.client(protocol).infer(request);
      expect(plain(answer)).toEqual(theirs()[protocol].answer);
    });
  },
);

describe.each(Object.entries(STREAMS).map(([what, request], at) => ({ what, request, at })))(
  'tritonclient and a stream: $what',
  ({ request, at }) => {
    it('the same answers come in the same order', async () => {
      const stream = triton.client('grpc').streamInfer(request);
      const items: (Answer | { error: string })[] = [];
      try {
        for await (const answer of stream) items.push(plain(answer));
      } catch (error) {
        items.push({ error: (error as Error).message });
      }
      expect(items).toEqual(python.streams[at]);
      expect(items.length).toBeGreaterThan(2);
    });
  },
);
