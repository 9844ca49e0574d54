import { randomBytes } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { tensor, TritonClient, traceContext } from '#libs/triton';
import { startTcpProxy } from '../support/tcp-proxy.js';
import { type OtlpReceiver, startOtlpReceiver } from './support/otlp-receiver.js';
import { all, protocols, useTriton } from './support/protocols.js';

const receiver: OtlpReceiver = await startOtlpReceiver();
afterAll(() => receiver.close());

const triton = useTriton({
  models: ['identity', 'text'],
  args: [
    '--trace-config=mode=opentelemetry',
    '--trace-config=rate=1',
    '--trace-config=level=TIMESTAMPS',
    `--trace-config=opentelemetry,url=${receiver.url}`,
    '--trace-config=opentelemetry,bsp_schedule_delay=50',
    '--grpc-infer-response-compression-level=high',
  ],
});

/** In its first second Triton loses the trace context of about one gRPC request in 25. */
const againWhenLost = { retry: 3, timeout: 10_000 };

describe.each(protocols)('over %s', (protocol) => {
  it('spans of the server join the trace of the caller', againWhenLost, async () => {
    const traceId = randomBytes(16).toString('hex');
    const spanId = randomBytes(8).toString('hex');
    const client = triton.connect(protocol, {
      interceptors: [
        traceContext((carrier) => {
          carrier['traceparent'] = `00-${traceId}-${spanId}-01`;
        }),
      ],
    });
    await client.infer({ model: 'identity', inputs: { INPUT0: [1] } });
    const isRoot = (span: { name: string }): boolean => span.name === 'InferRequest';
    const spans = await receiver.trace(traceId, isRoot);
    expect(spans.find(isRoot)?.parentSpanId).toBe(spanId);
    expect(spans.map(({ name }) => name)).toContain('identity');
  });

  it('spans of a stream do, too', againWhenLost, async () => {
    const traceId = randomBytes(16).toString('hex');
    const spanId = randomBytes(8).toString('hex');
    const metadata = { traceparent: `00-${traceId}-${spanId}-01` };
    const stream = triton
      .client(protocol)
      .generateStream({ model: 'text', fields: { text_input: 'a', stream: true } }, { metadata });
    expect((await all(stream)).length).toBeGreaterThan(1);
    const isRoot = (span: { name: string }): boolean => span.name === 'InferRequest';
    const spans = await receiver.trace(traceId, isRoot);
    expect(spans.find(isRoot)?.parentSpanId).toBe(spanId);
  });

  it.each(['gzip', 'deflate'] as const)('%s goes both ways', async (compression) => {
    const address = new URL(triton.url(protocol));
    const proxy = await startTcpProxy({ target: { port: Number(address.port) } });
    const client = new TritonClient(`${address.protocol}//${proxy.host}:${proxy.port}`, {
      compression,
    });
    try {
      const zeros = new Float32Array(100_000);
      const answer = await client.infer({
        model: 'identity',
        inputs: { INPUT0: tensor('FP32', zeros) },
      });
      expect(answer.outputs['OUTPUT0']?.data).toEqual(zeros);
      for (const direction of ['up', 'down'] as const) {
        const bytes = proxy.connections.map((connection) => connection[direction].forwarded);
        // Instead of 400,000.
        expect(bytes.reduce((sum, some) => sum + some)).toBeLessThan(10_000);
      }
    } finally {
      await client.close();
      await proxy.close();
    }
  });

  it('what is not compressed goes and comes as well', async () => {
    const values = Float32Array.from({ length: 1_000 }, (_, at) => at);
    const { outputs } = await triton
      .client(protocol)
      .infer({ model: 'identity', inputs: { INPUT0: values } });
    expect(outputs['OUTPUT0']?.data).toEqual(values);
  });
});
