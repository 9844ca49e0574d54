import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import {
  BLOCKING,
  IMPATIENT,
  openRedis,
  SpanStore,
  type HintConsumer,
  type Runs,
} from '#libs/runs';
import { runService, serveHealth } from '#libs/service';
import { startTelemetry } from '#libs/telemetry';
import { AppModule, CONSUMER, RUNS } from './app.module.js';
import { WorkerConfig } from './config.js';
import { openModel } from './models/default-model.js';

await runService('worker', WorkerConfig, async (config, log) => {
  const redis = await openRedis(config.REDIS_URL, IMPATIENT);
  const blockingRedis = await openRedis(config.REDIS_URL, BLOCKING);
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
  const consumer = app.get<HintConsumer>(CONSUMER);
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
  // Last: what it takes must find everything else in place.
  consumer.start();
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
