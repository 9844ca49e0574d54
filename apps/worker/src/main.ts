import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import {
  BLOCKING,
  IMPATIENT,
  openRedis,
  SpanStore,
  type Halts,
  type HintConsumer,
  type Runs,
} from '#libs/runs';
import { runService, serveHealth } from '#libs/service';
import { startTelemetry } from '#libs/telemetry';
import { AppModule, CONSUMER, HALTS, RUNS } from './app.module.js';
import { WorkerConfig } from './config.js';
import { AdaptiveLimit } from './feed/adaptive-limit.js';
import { fixedLimit, type Limit } from './feed/limit.js';
import { ModelFeed } from './feed/model-feed.js';
import { openModel } from './models/open-model.js';

/** What a turn came to waits so long for an absent ledger: less than a process has to stop. */
const ABANDON_MS = 21_000;

await runService('worker', WorkerConfig, async (config, log) => {
  const redis = await openRedis(config.REDIS_URL, IMPATIENT);
  const blockingRedis = await openRedis(config.REDIS_URL, BLOCKING);
  const model = new ModelFeed({ model: await openModel(config), limit: limitOf(config), log });
  const telemetry = startTelemetry({
    service: 'worker',
    otlpEndpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
    store: new SpanStore(config.DATABASE_URL),
  });
  const app = await NestFactory.createApplicationContext(
    AppModule.register({ config, redis, blockingRedis, model, log }),
    { logger: false, abortOnError: false },
  );
  const runs = app.get<Runs>(RUNS);
  const halts = app.get<Halts>(HALTS);
  const consumer = app.get<HintConsumer>(CONSUMER);
  const health = await serveHealth({
    host: config.HOST,
    port: config.PORT,
    checks: {
      ledger: () => runs.epoch.isFresh(),
      redis: () => redis.status === 'ready',
      consumer: () => consumer.isRunning(),
      model: () => model.isOpen,
    },
  });
  // Last: what it takes must find everything else in place. It takes nothing until the model answers.
  model.start(consumer);
  consumer.start();
  return {
    url: health.url,
    close: async () => {
      // What was not yet sent to the model goes back to the queue; what was sent is waited for, but not for ever.
      const drained = consumer.close();
      await model.stop();
      const last = setTimeout(() => runs.abandon(), ABANDON_MS);
      await drained;
      clearTimeout(last);
      await halts.close();
      await health.close();
      await telemetry.shutdown();
      await runs.close();
      await app.close();
      await model.close();
      blockingRedis.disconnect();
    },
  };
});

/** The embedded model answers one request at a time; a server is followed unless an operator says how many it takes. */
function limitOf({ WORKER_CONCURRENCY, RUNTIME }: WorkerConfig): Limit {
  const chosen = WORKER_CONCURRENCY ?? (RUNTIME === 'embedded' ? 1 : 'adaptive');
  return chosen === 'adaptive' ? new AdaptiveLimit() : fixedLimit(chosen);
}
