import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { openRedis, SpanStore, type Runs } from '#libs/runs';
import { readConfig, runService, serveHealth } from '#libs/service';
import { startTelemetry } from '#libs/telemetry';
import type { Worker } from 'bullmq';
import { AppModule, CONSUMER, RUNS } from './app.module.js';
import { WorkerConfig } from './config.js';
import { openModel } from './models/default-model.js';

await runService('worker', async (log) => {
  const config = readConfig(WorkerConfig, process.env);
  const redis = await openRedis(config.REDIS_URL, { enableOfflineQueue: false });
  const blockingRedis = await openRedis(config.REDIS_URL, { maxRetriesPerRequest: null });
  const model = await openModel(config);
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
  const consumer = app.get<Worker>(CONSUMER);
  log.info({ model: model.card.name, runtime: model.card.runtime }, 'model loaded');
  const health = await serveHealth({
    host: config.HOST,
    port: config.PORT,
    checks: {
      ledger: () => runs.epoch.isFresh(),
      redis: () => redis.status === 'ready',
      consumer: () => consumer.isRunning(),
    },
  });
  return {
    url: health.url,
    close: async () => {
      await consumer.close();
      await health.close();
      await telemetry.shutdown();
      await runs.close();
      await app.close();
      await model.close();
      blockingRedis.disconnect();
    },
  };
});
