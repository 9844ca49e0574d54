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
import { ExecutorConfig } from './config.js';

/** Calls may take longer than a process has to drain: what is out after this is ended, and what became of it recorded. */
const DRAIN_MS = 18_000;
/** What came of it waits so long for an absent ledger: less than a process has to stop. */
const ABANDON_MS = 21_000;

await runService('executor', ExecutorConfig, async (config, log) => {
  const redis = await openRedis(config.REDIS_URL, IMPATIENT);
  const blockingRedis = await openRedis(config.REDIS_URL, BLOCKING);
  const telemetry = startTelemetry({
    service: 'executor',
    otlpEndpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
    store: new SpanStore(config.DATABASE_URL),
  });
  const leaving = new AbortController();
  const app = await NestFactory.createApplicationContext(
    AppModule.register({ config, redis, blockingRedis, leaving: leaving.signal, log }),
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
    },
  });
  // Last: what it takes must find everything else in place.
  consumer.start();
  return {
    url: health.url,
    close: async () => {
      const late = setTimeout(() => leaving.abort(), DRAIN_MS);
      const last = setTimeout(() => runs.abandon(), ABANDON_MS);
      await consumer.close();
      clearTimeout(late);
      clearTimeout(last);
      await halts.close();
      await health.close();
      await telemetry.shutdown();
      await runs.close();
      await app.close();
      blockingRedis.disconnect();
    },
  };
});
