import 'reflect-metadata';
import type { Server } from 'node:http';
import { getQueueToken } from '@nestjs/bullmq';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { HammerlineError, QUEUES } from '#libs/contracts';
import {
  ensureApiKey,
  IMPATIENT,
  openRedis,
  SpanStore,
  type Admission,
  type RunNotices,
  type Runs,
} from '#libs/runs';
import { runService } from '#libs/service';
import { parseJson } from '#libs/pyjson';
import { startTelemetry } from '#libs/telemetry';
import { loadToolsets } from '#libs/tools';
import type { Queue } from 'bullmq';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppModule } from './app.module.js';
import { authenticate } from './authenticate.js';
import { GatewayConfig } from './config.js';
import { serveDocs } from './docs/serve-docs.js';
import { LOGIN_PAGE } from './pages/login-page.js';
import { ProblemFilter, sendProblem } from './problem.js';
import { serveQueuesBoard } from './queues-board.js';
import { ADMISSION, NOTICES, RUNS } from './tokens.js';

/** The one tenant of a single-tenant installation. */
const DEFAULT_TENANT = 'default';

await runService('gateway', GatewayConfig, async (config, log) => {
  const stopping = new AbortController();
  const toolsets = await loadToolsets(config.HAMMERLINE_TOOLSETS);
  const redis = await openRedis(config.REDIS_URL, IMPATIENT);
  const telemetry = startTelemetry({
    service: 'gateway',
    otlpEndpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
    store: new SpanStore(config.DATABASE_URL),
  });
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.register({ config, redis, toolsets, stopping: stopping.signal, log }),
    new FastifyAdapter({
      bodyLimit: config.BODY_LIMIT_BYTES,
      forceCloseConnections: 'idle',
      // What still comes over an open connection while this process stops is answered, and the connection closed.
      return503OnClosing: false,
      frameworkErrors: (_error: Error, _request: FastifyRequest, reply: FastifyReply) =>
        sendProblem(reply, new HammerlineError('not_found', 'The path is not a valid one.')),
    }),
    // Fastify's own JSON parser stays; Nest would add one for forms.
    { logger: false, abortOnError: false, bodyParser: false },
  );
  const runs = app.get<Runs>(RUNS);
  await ensureApiKey(runs.pool, DEFAULT_TENANT, config.HAMMERLINE_API_KEY);
  app.useGlobalFilters(new ProblemFilter(log, config.BODY_LIMIT_BYTES));
  const fastify = app.getHttpAdapter().getInstance();
  fastify.removeContentTypeParser('text/plain');
  readJsonBodies(fastify);
  authenticate(fastify, runs.pool, LOGIN_PAGE);
  await serveDocs(fastify);
  await serveQueuesBoard(
    fastify,
    Object.values(QUEUES).map((name) => app.get<Queue>(getQueueToken(name))),
  );
  await app.listen(config.PORT, config.HOST);
  log.info({ toolsets: [...toolsets.keys()] }, 'toolsets loaded');
  return {
    url: await app.getUrl(),
    close: async () => {
      stopping.abort();
      const letGo = letConnectionsGo(fastify.server);
      await app.close();
      letGo.stop();
      await Promise.all([
        app.get<Admission>(ADMISSION).close(),
        app.get<RunNotices>(NOTICES).close(),
        telemetry.shutdown(),
      ]);
      await runs.close();
    },
  };
});

/**
 * Fastify's own reader judges a body; `parseJson` then reads it, as one tenant's keys must not end up in another's. Many
 * clients name the type of a body that they do not send: that is none.
 */
function readJsonBodies(fastify: FastifyInstance): void {
  const judge = fastify.getDefaultJsonParser('error', 'error');
  const media = 'application/json';
  fastify.removeContentTypeParser(media);
  fastify.addContentTypeParser<string>(media, { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void judge(request, body, (error) => done(error, error ? undefined : parseJson(body)));
  });
}

/** How long a client may take to send its request or to read its answer once this process stops. */
const LINGER_MS = 3_000;

/**
 * A server that closes waits for its connections. It lets go of those that are idle at that moment; this does so with those
 * that fall idle later, and in the end with all.
 */
function letConnectionsGo(server: Server): { stop(): void } {
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const all = setTimeout(() => server.closeAllConnections(), LINGER_MS);
  return {
    stop: () => {
      clearInterval(idle);
      clearTimeout(all);
    },
  };
}
