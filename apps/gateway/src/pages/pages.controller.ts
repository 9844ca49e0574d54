import { listRuns, readEvents, readRun, readRunSpans, type Runs } from '#libs/runs';
import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { validate as isUuid } from 'uuid';
import { ListQuery } from '../list-query.js';
import { RUNS } from '../tokens.js';
import { html } from './html.js';
import { PAGE_POLICY, renderMessage } from './layout.js';
import { renderRun } from './run-page.js';
import { renderRuns } from './runs-page.js';

const RUNS_PER_PAGE = 25;
const PageQuery = ListQuery.pick({ cursor: true, state: true, callState: true });

/** What a browser shows: the latest runs, and one run. */
@Controller()
export class PagesController {
  constructor(@Inject(RUNS) private readonly runs: Runs) {}

  @Get()
  async index(
    @Query('cursor') cursor: unknown,
    @Query('state') state: unknown,
    @Query('callState') callState: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const read = PageQuery.safeParse({ cursor, state, callState });
    if (!read.success) {
      const content = html`<p>
        This link names no page of runs. <a href="/">See the latest runs</a>
      </p>`;
      sendPage(reply, 422, renderMessage('No such page', content));
      return;
    }
    const { cursor: before, ...filter } = read.data;
    const { pool } = this.runs;
    const page = await listRuns(pool, request.tenantId, { limit: RUNS_PER_PAGE, before, filter });
    const first = before === undefined;
    sendPage(reply, 200, renderRuns(page, { now: Date.now(), first, filter }));
  }

  @Get('runs/:id')
  async run(
    @Param('id') id: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { pool } = this.runs;
    // Events first: a page may then show more than its last event tells, never less.
    const events = isUuid(id) ? await readEvents(pool, request.tenantId, id, 0) : [];
    const run = events.length > 0 ? await readRun(pool, request.tenantId, id) : undefined;
    if (!run) {
      const content = html`<p>
        There is no run <code>${id.slice(0, 100)}</code>, or it is not yours.
        <a href="/">See the latest runs</a>
      </p>`;
      sendPage(reply, 404, renderMessage('No such run', content));
      return;
    }
    const spans = await readRunSpans(pool, request.tenantId, id);
    sendPage(reply, 200, renderRun(run, { spans, events, now: Date.now() }));
  }
}

function sendPage(reply: FastifyReply, status: number, page: string): void {
  void reply
    .status(status)
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `${PAGE_POLICY}; frame-ancestors 'none'`,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    })
    .send(page);
}
