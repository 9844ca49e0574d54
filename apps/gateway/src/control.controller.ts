import {
  ApprovalRequest,
  HammerlineError,
  OutcomeRequest,
  ReplayRequest,
  type Call,
  type Run,
} from '#libs/contracts';
import {
  readRun,
  readToolsetOf,
  replayRuns,
  type Admission,
  type RunInput,
  type Runs,
} from '#libs/runs';
import type { Toolset } from '#libs/tools';
import { Body, Controller, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { checkEdit } from './check-edit.js';
import { findRun } from './find-run.js';
import { notPossible } from './not-possible.js';
import { readBody } from './problem.js';
import { ADMISSION, RUNS } from './tokens.js';

/** How long a decision may take to be committed: a ledger that is away is not waited for any longer. */
const COMMIT_WITHIN_MS = 10_000;

const NoBody = z.strictObject({});

/** What people decide about runs: they end them, approve calls, find out outcomes, and have runs done again. */
@Controller('v1/runs')
export class ControlController {
  constructor(
    @Inject(RUNS) private readonly runs: Runs,
    @Inject(ADMISSION) private readonly admission: Admission,
  ) {}

  @Post(':id/cancel')
  @HttpCode(200)
  async cancel(
    @Param('id') id: string,
    @Body() body: unknown,
    @Req() { tenantId, keyName }: FastifyRequest,
  ): Promise<Run> {
    readBody(NoBody, body ?? {});
    const run = await findRun(this.runs.pool, tenantId, id);
    return this.#apply(tenantId, run, { type: 'run.cancel', by: keyName });
  }

  @Post(':id/calls/:callId/approval')
  @HttpCode(200)
  async approve(
    @Param('id') id: string,
    @Param('callId') callId: string,
    @Body() body: unknown,
    @Req() { tenantId, keyName: by }: FastifyRequest,
  ): Promise<Run> {
    const { run, call } = await this.#findCall(tenantId, id, callId);
    const { decision, argumentsHash, arguments: edited } = readBody(ApprovalRequest, body);
    if (edited) {
      const toolset = await readToolsetOf(this.runs.pool, tenantId, id);
      checkEdit(toolset as Toolset, { name: call.name, arguments: edited });
    }
    const decided = { callId, by, argumentsHash };
    return this.#apply(
      tenantId,
      run,
      decision === 'deny'
        ? { type: 'call.deny', ...decided }
        : { type: 'call.approve', ...decided, ...(edited && { edited }) },
    );
  }

  @Post(':id/calls/:callId/outcome')
  @HttpCode(200)
  async decide(
    @Param('id') id: string,
    @Param('callId') callId: string,
    @Body() body: unknown,
    @Req() { tenantId, keyName: by }: FastifyRequest,
  ): Promise<Run> {
    const { run } = await this.#findCall(tenantId, id, callId);
    const { outcome, result = null } = readBody(OutcomeRequest, body);
    const decision = outcome === 'succeeded' ? { state: outcome, result } : { state: outcome };
    return this.#apply(tenantId, run, { type: 'call.decide', callId, by, decision });
  }

  @Post('replay')
  async replay(
    @Body() body: unknown,
    @Req() { tenantId, keyName: by }: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const request = readBody(ReplayRequest, body);
    if (!request.dryRun) this.admission.check();
    const { pool, engine } = this.runs;
    const report = await replayRuns(pool, engine, { ...request, tenantId, by });
    void reply.status(report.runs.length > 0 ? 202 : 200).send(report);
  }

  async #findCall(tenantId: string, id: string, callId: string): Promise<{ run: Run; call: Call }> {
    const run = await findRun(this.runs.pool, tenantId, id);
    const call = run.calls.find((one) => one.id === callId);
    if (call) return { run, call };
    const what = JSON.stringify(callId.slice(0, 100));
    throw new HammerlineError(
      'not_found',
      `The run has no call ${what}. GET /v1/runs/${id} shows its calls.`,
    );
  }

  async #apply(tenantId: string, { id }: Run, input: RunInput): Promise<Run> {
    const { refused } = await Promise.race([this.runs.engine.apply(id, input), lateness()]);
    const run = await readRun(this.runs.pool, tenantId, id);
    if (!run) throw new HammerlineError('not_found', `The run ${id} has been deleted.`);
    // Asked for twice, even at once, it is done.
    const isDone = input.type === 'run.cancel' && run.state === 'cancelled';
    if (refused && !isDone) throw notPossible(refused, input, run);
    return run;
  }
}

async function lateness(): Promise<never> {
  await new Promise((resolve) => setTimeout(resolve, COMMIT_WITHIN_MS).unref());
  throw new HammerlineError(
    'unavailable',
    'The ledger is away: nobody knows whether this was recorded. Look at the run, then send it again.',
  );
}
