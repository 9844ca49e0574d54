import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveQueuesBoard } from './queues-board.js';

describe('serveQueuesBoard', () => {
  const fastify = new FastifyAdapter().getInstance();
  const routes: { method: string; url: string }[] = [];
  let queue: Queue;

  beforeAll(async () => {
    // No Redis: what is checked here must be decided before one is asked.
    const connection = { host: '127.0.0.1', port: 1, retryStrategy: () => null };
    queue = new Queue('inference', { connection });
    queue.on('error', () => undefined);
    fastify.addHook('onRequest', async (request, reply) => {
      if (request.headers.authorization === undefined) return reply.status(401).send();
    });
    fastify.addHook('onRoute', ({ method, url }) => {
      for (const verb of [method].flat()) {
        routes.push({ method: verb, url: url.replaceAll(/:\w+|\*/g, 'inference') });
      }
    });
    await serveQueuesBoard(fastify, [queue]);
    await fastify.ready();
  });
  afterAll(async () => {
    await fastify.close();
    await queue.close().catch(() => undefined);
  });

  it('stands behind the hook that asks for a key, with all that belongs to it', async () => {
    expect(routes.length).toBeGreaterThan(20);
    for (const { method, url } of routes) {
      const answer = await fastify.inject({ method: method as 'GET', url });
      expect(answer.statusCode, `${method} ${url}`).toBe(401);
    }
  });

  it('changes nothing', async () => {
    const changing = routes.filter(({ method }) => !['GET', 'HEAD', 'OPTIONS'].includes(method));
    expect(changing.length).toBeGreaterThan(10);
    for (const { method, url } of changing) {
      const headers = { authorization: 'Bearer key' };
      const answer = await fastify.inject({ method: method as 'PUT', url, headers });
      expect(answer.statusCode, `${method} ${url}`).toBe(405);
      expect(answer.json()).toMatchObject({ code: 'method_not_allowed' });
    }
  });

  it('serves its page and assets, and lets the browser fetch nothing from elsewhere', async () => {
    const headers = { authorization: 'Bearer key' };
    const page = await fastify.inject({ url: '/queues', headers });
    expect(page.statusCode).toBe(200);
    expect(page.body).toContain('Hammerline queues');
    expect(String(page.headers['content-security-policy'])).not.toMatch(/https?:|\*/);
    const script = /src="(static\/js\/main[^"]+)"/.exec(page.body)?.[1];
    const asset = await fastify.inject({ url: `/queues/${script}`, headers });
    expect(asset.statusCode).toBe(200);
  });
});
