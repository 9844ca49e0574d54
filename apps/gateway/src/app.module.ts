import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { Module, type DynamicModule } from '@nestjs/common';
import { QUEUES } from '#libs/contracts';
import { HINT_JOB_OPTIONS, openRuns, QUEUE_PREFIX, RunNotices, type Runs } from '#libs/runs';
import type { ReadinessChecks } from '#libs/service';
import type { Logger } from '#libs/telemetry';
import type { Toolset } from '#libs/tools';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { GatewayConfig } from './config.js';
import { HealthController } from './health.controller.js';
import { PagesController } from './pages/pages.controller.js';
import { RunsController } from './runs.controller.js';
import { NOTICES, READINESS, RUNS, STOPPING, TOOLSETS } from './tokens.js';
import { ToolsetsController } from './toolsets.controller.js';

export interface GatewayParts {
  config: GatewayConfig;
  redis: Redis;
  /** A connection of its own: a subscribed one can do nothing else. */
  subscriber: Redis;
  toolsets: ReadonlyMap<string, Toolset>;
  /** Aborts when this process stops: whoever waits or streams is let go. */
  stopping: AbortSignal;
  log: Logger;
}

@Module({})
export class AppModule {
  static register(parts: GatewayParts): DynamicModule {
    const { config, redis, subscriber, toolsets, stopping, log } = parts;
    return {
      module: AppModule,
      imports: [
        BullModule.forRoot({
          connection: redis,
          prefix: QUEUE_PREFIX,
          defaultJobOptions: HINT_JOB_OPTIONS,
        }),
        BullModule.registerQueue({ name: QUEUES.turn }, { name: QUEUES.call }),
      ],
      controllers: [RunsController, ToolsetsController, HealthController, PagesController],
      providers: [
        {
          provide: RUNS,
          inject: [getQueueToken(QUEUES.turn), getQueueToken(QUEUES.call)],
          useFactory: (turn: Queue, call: Queue) =>
            openRuns({
              service: 'gateway',
              databaseUrl: config.DATABASE_URL,
              redis,
              queues: { turn, call },
              log,
            }),
        },
        { provide: NOTICES, useFactory: () => RunNotices.subscribe(subscriber) },
        { provide: TOOLSETS, useValue: toolsets },
        { provide: STOPPING, useValue: stopping },
        {
          provide: READINESS,
          inject: [RUNS],
          useFactory: (runs: Runs): ReadinessChecks => ({
            ledger: () => runs.epoch.isFresh(),
            redis: () => redis.status === 'ready',
          }),
        },
      ],
    };
  }
}
