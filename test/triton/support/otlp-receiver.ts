import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

export interface ReceivedSpan {
  readonly traceId: string;
  readonly parentSpanId?: string;
  readonly name: string;
}

interface Traces {
  readonly resourceSpans?: readonly {
    readonly scopeSpans?: readonly { readonly spans?: readonly ReceivedSpan[] }[];
  }[];
}

export interface OtlpReceiver {
  readonly url: string;
  /** Spans of a trace, once there is one that passes. Waits for it. */
  trace(traceId: string, has: (span: ReceivedSpan) => boolean): Promise<readonly ReceivedSpan[]>;
  close(): void;
}

/** Takes OpenTelemetry's traces as JSON over HTTP (OTLP). */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const server = createServer(async (request, response) => {
    const { resourceSpans = [] } = (await json(request)) as Traces;
    for (const { scopeSpans = [] } of resourceSpans) {
      spans.push(...scopeSpans.flatMap((scope) => scope.spans ?? []));
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    server.emit('spans');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1/traces`,
    async trace(traceId, has) {
      for (;;) {
        const found = spans.filter((span) => span.traceId === traceId);
        if (found.some(has)) return found;
        await once(server, 'spans');
      }
    },
    close: () => void server.close(),
  };
}
