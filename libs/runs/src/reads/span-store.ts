import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { ExportResultCode, hrTimeToMilliseconds, type ExportResult } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { openPool, type Pool } from '../ledger/pool.js';

/** A finished span as it is kept in the ledger. Times are Unix milliseconds with fractions. */
export interface StoredSpan {
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: string;
  service: string;
  start: number;
  end: number;
  error?: string;
  attributes: Record<string, unknown>;
  links: { traceId: string; spanId: string }[];
}

/** Keeps spans in the ledger, for installations without a collector. Failing to keep one never fails a run. */
export class SpanStore implements SpanExporter {
  readonly #pool: Pool;

  /** @param databaseUrl one connection of its own is opened, so that traces never keep the runs waiting */
  constructor(databaseUrl: string) {
    this.#pool = openPool({ databaseUrl, service: 'spans', max: 1, onError: () => undefined });
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    // oxlint-disable-next-line promise/no-callback-in-promise -- the exporter's interface is a callback
    void this.#keep(spans).then(done);
  }

  async #keep(spans: ReadableSpan[]): Promise<ExportResult> {
    try {
      await this.#pool.query(
        // Not worth a wait for the disk.
        `WITH lazy AS (SELECT set_config('synchronous_commit', 'off', true))
         INSERT INTO spans (trace_id, span_id, parent_id, body, ended_at)
         SELECT span.* FROM lazy, unnest($1::text[], $2::text[], $3::text[], $4::json[], $5::timestamptz[]) AS span
         ON CONFLICT DO NOTHING`,
        [
          spans.map((span) => span.spanContext().traceId),
          spans.map((span) => span.spanContext().spanId),
          spans.map((span) => span.parentSpanContext?.spanId ?? null),
          spans.map((span) => JSON.stringify(toStored(span))),
          spans.map((span) => new Date(hrTimeToMilliseconds(span.endTime))),
        ],
      );
      return { code: ExportResultCode.SUCCESS };
    } catch (error) {
      return { code: ExportResultCode.FAILED, error: error as Error };
    }
  }

  shutdown(): Promise<void> {
    return this.#pool.end();
  }
}

/** Most spans of one run that are read. */
const MAX_SPANS = 2_000;

/**
 * The spans of a tenant's run, by start time: those below the span that accepted it. A trace can be the client's own and
 * hold other runs, even other tenants'.
 */
export async function readRunSpans(
  pool: Pool,
  tenantId: string,
  runId: string,
): Promise<StoredSpan[]> {
  const { rows } = await pool.query<{ body: StoredSpan }>(
    `WITH RECURSIVE run AS (
       SELECT split_part(traceparent, '-', 2) AS trace_id, split_part(traceparent, '-', 3) AS root_id
       FROM runs WHERE tenant_id = $1 AND id = $2
     ), tree AS (
       SELECT s.trace_id, s.span_id, s.body FROM spans s JOIN run ON s.trace_id = run.trace_id AND s.span_id = run.root_id
       UNION ALL
       SELECT s.trace_id, s.span_id, s.body FROM spans s JOIN tree ON s.trace_id = tree.trace_id AND s.parent_id = tree.span_id
     )
     SELECT body FROM tree LIMIT ${MAX_SPANS}`,
    [tenantId, runId],
  );
  return rows.map(({ body }) => body).toSorted((x, y) => x.start - y.start);
}

function toStored(span: ReadableSpan): StoredSpan {
  return {
    spanId: span.spanContext().spanId,
    ...(span.parentSpanContext && { parentSpanId: span.parentSpanContext.spanId }),
    name: span.name,
    kind: SpanKind[span.kind].toLowerCase(),
    service: span.resource.attributes['service.name'] as string,
    start: hrTimeToMilliseconds(span.startTime),
    end: hrTimeToMilliseconds(span.endTime),
    ...(span.status.code === SpanStatusCode.ERROR && { error: span.status.message ?? 'error' }),
    attributes: span.attributes,
    links: span.links.map(({ context }) => ({ traceId: context.traceId, spanId: context.spanId })),
  };
}
