import { checkReadiness, type ReadinessChecks } from '#libs/service';
import { Controller, Get, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { READINESS } from './tokens.js';

@Controller()
export class HealthController {
  constructor(@Inject(READINESS) private readonly checks: ReadinessChecks) {}

  @Get('livez')
  live(): { live: true } {
    return { live: true };
  }

  @Get('readyz')
  async ready(@Res() reply: FastifyReply): Promise<void> {
    const state = await checkReadiness(this.checks);
    void reply.status(state.ready ? 200 : 503).send(state);
  }
}
