import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SpanKind } from '@opentelemetry/api';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace';
import { expect, it } from 'vitest';
import { inSpan } from './span.js';
import { startTelemetry } from './telemetry.js';

it('sends spans to the OTLP collector that is configured, and keeps none itself', async () => {
  const collector = createServer().listen(0, '127.0.0.1');
  await once(collector, 'listening');
  const { port } = collector.address() as AddressInfo;
  const store = new InMemorySpanExporter();
  const received = new Promise<{ url: string | undefined; body: string }>((resolve) => {
    collector.once('request', async (request: IncomingMessage, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      resolve({ url: request.url, body });
    });
  });
  const telemetry = startTelemetry({
    service: 'test',
    otlpEndpoint: `http://127.0.0.1:${port}/`,
    store,
  });
  await inSpan('work', { kind: SpanKind.INTERNAL }, async () => undefined);
  await telemetry.shutdown();
  const { url, body } = await received;
  expect(url).toBe('/v1/traces');
  expect(body).toContain('"name":"work"');
  expect(body).toContain('hammerline-test');
  expect(store.getFinishedSpans()).toEqual([]);
  collector.close();
  collector.closeAllConnections();
});
