import { HammerlineError } from '#libs/contracts';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { Queue } from 'bullmq';
import type { FastifyInstance } from 'fastify';
import { sendProblem } from './problem.js';

const PATH = '/queues';

/** Its page styles elements inline and asks for web fonts, which it does not get: nothing is fetched from elsewhere. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * Shows the queues to operators at /queues, with Bull Board, to look at only: jobs are hints, so there is nothing to
 * mend in them, and whoever deletes them delays runs. Call it after `authenticate`, whose hook then covers it.
 */
export async function serveQueuesBoard(
  fastify: FastifyInstance,
  queues: readonly Queue[],
): Promise<void> {
  const adapter = new FastifyAdapter().setBasePath(PATH);
  createBullBoard({
    queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: true })),
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Hammerline queues' } },
  });
  await fastify.register(async (scope) => {
    scope.addHook('onRequest', async (request, reply) => {
      void reply.header('content-security-policy', POLICY);
      if (request.method === 'GET' || request.method === 'HEAD') return;
      // Bull Board refuses by itself, route by route; here no later version of it can forget one.
      sendProblem(
        reply,
        new HammerlineError('method_not_allowed', 'The queues are here to look at only.'),
      );
      return reply;
    });
    await scope.register(adapter.registerPlugin(), { prefix: PATH });
  });
}
