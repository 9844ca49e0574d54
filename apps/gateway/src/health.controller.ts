import type { Admission } from '#libs/runs';
import { checkReadiness, type ReadinessChecks } from '#libs/service';
import { Controller, Get, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ADMISSION, READINESS } from './tokens.js';

@Controller()
export class HealthController {
  constructor(
    @Inject(READINESS) private readonly checks: ReadinessChecks,
    @Inject(ADMISSION) private readonly admission: Admission,
  ) {}

  @Get('livez')
  live(): { live: true } {
    return { live: true };
  }

  /** Also ready while it accepts no runs, which `refusing` explains: those that are there are to be read and cancelled. */
  @Get('readyz')
  async ready(@Res() reply: FastifyReply): Promise<void> {
    const state = await checkReadiness(this.checks);
    const refusing = this.admission.refusal();
    void reply
      .status(state.ready ? 200 : 503)
      .send({ ...state, ...(refusing !== undefined && { refusing }) });
  }
}
