import { invalidRequest, HammerlineError, type Run, type RunPage } from '#libs/contracts';
import {
  isLedgerAway,
  listRuns,
  readEvents,
  readRunSpans,
  RunNotices,
  type Admission,
  type Runs,
  type StoredSpan,
} from '#libs/runs';
import { activeTraceparent, ATTR, inSpan } from '#libs/telemetry';
import type { Toolset } from '#libs/tools';
import {
  Body,
  Controller,
  Get,
  Headers,
  Inject,
  Param,
  Post,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import { SpanKind } from '@opentelemetry/api';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { newRun, queuedRun } from './accept-run.js';
import { findRun } from './find-run.js';
import { ListQuery } from './list-query.js';
import { readFields } from './problem.js';
import { streamEvents } from './stream-events.js';
import { ADMISSION, NOTICES, RUNS, STOPPING, TOOLSETS } from './tokens.js';
import { runEnded, waitForRun } from './wait-for-run.js';

/** Longest `Prefer: wait`, in seconds; a longer wish is cut to it. */
const MAX_WAIT_S = 60;

@Controller('v1/runs')
export class RunsController {
  constructor(
    @Inject(RUNS) private readonly runs: Runs,
    @Inject(NOTICES) private readonly notices: RunNotices,
    @Inject(TOOLSETS) private readonly toolsets: ReadonlyMap<string, Toolset>,
    @Inject(STOPPING) private readonly stopping: AbortSignal,
    @Inject(ADMISSION) private readonly admission: Admission,
  ) {}

  @Post()
  async create(
    @Body() body: unknown,
    @Headers() headers: Record<string, string | undefined>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    this.admission.check();
    const { tenantId } = request;
    const { run: accepted, isNew } = await inSpan(
      'POST /v1/runs',
      {
        kind: SpanKind.SERVER,
        attributes: {
          [ATTR.httpMethod]: 'POST',
          [ATTR.httpRoute]: '/v1/runs',
          [ATTR.urlPath]: '/v1/runs',
        },
        parent: headers['traceparent'],
      },
      async (span) => {
        const run = newRun(body, {
          tenantId,
          toolsets: this.toolsets,
          idempotencyKey: headers['idempotency-key'],
          traceparent: activeTraceparent() ?? '',
        });
        span.setAttribute(ATTR.genAiConversationId, run.id);
        const acceptance = await this.runs.engine.accept(run);
        if (acceptance.kind === 'conflict') {
          throw new HammerlineError(
            'idempotency_conflict',
            'This Idempotency-Key came before with another body. Use a new key for a new request.',
          );
        }
        span.setAttribute(ATTR.httpStatus, 202);
        if (acceptance.kind === 'accepted') return { run, isNew: true };
        void reply.header('idempotency-replayed', 'true');
        return { run: { ...run, id: acceptance.runId }, isNew: false };
      },
    );
    void reply.header('location', `/v1/runs/${accepted.id}`);
    const waitS = Math.min(readWait(headers['prefer']), MAX_WAIT_S);
    if (waitS > 0) void reply.header('preference-applied', `wait=${waitS}`);
    else if (isNew) {
      void reply.status(202).send(queuedRun(accepted));
      return;
    }
    const { pool } = this.runs;
    const seen = await waitForRun(pool, this.notices, {
      tenantId,
      runId: accepted.id,
      seconds: waitS,
      stopping: this.stopping,
    }).catch((error: unknown) => {
      // It is committed: whatever fails from here on, the answer must not invite the client to send it again.
      if (isLedgerAway(error)) return queuedRun(accepted);
      throw error;
    });
    void reply.status(runEnded(seen) ? 200 : 202).send(seen);
  }

  @Get()
  async list(@Query() query: unknown, @Req() request: FastifyRequest): Promise<RunPage> {
    const { limit, cursor, ...filter } = readFields(ListQuery, query);
    return listRuns(this.runs.pool, request.tenantId, { limit, before: cursor, filter });
  }

  @Get(':id')
  async get(@Param('id') id: string, @Req() request: FastifyRequest): Promise<Run> {
    return findRun(this.runs.pool, request.tenantId, id);
  }

  @Get(':id/trace')
  async trace(
    @Param('id') id: string,
    @Req() request: FastifyRequest,
  ): Promise<{ traceId: string; spans: StoredSpan[] }> {
    const { traceId } = await findRun(this.runs.pool, request.tenantId, id);
    return { traceId, spans: await readRunSpans(this.runs.pool, request.tenantId, id) };
  }

  @Get(':id/events')
  async events(
    @Param('id') id: string,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    if (lastEventId !== undefined && !/^\d{1,9}$/.test(lastEventId)) {
      throw invalidRequest({
        pointer: '',
        detail: 'the header Last-Event-ID is not valid',
        mend: 'Give the number of the last event that you have, or leave it out.',
      });
    }
    await findRun(this.runs.pool, request.tenantId, id);
    await streamEvents(reply, {
      after: Number(lastEventId ?? 0),
      read: (after) => readEvents(this.runs.pool, request.tenantId, id, after),
      listen: (signal) => this.notices.listen(id, signal),
      stopping: this.stopping,
    });
  }
}

/** Seconds of a `Prefer: wait=…` header; 0 without one. */
function readWait(prefer: string | undefined): number {
  const wait = /(?:^|[,;]\s*)wait=(\d{1,6})\b/.exec(prefer ?? '')?.[1];
  return Number(wait ?? 0);
}
