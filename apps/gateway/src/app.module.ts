import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { Module, type DynamicModule } from '@nestjs/common';
import { QUEUES } from '#libs/contracts';
import {
  Admission,
  HINT_JOB_OPTIONS,
  openRuns,
  QUEUE_PREFIX,
  RunNotices,
  type Runs,
} from '#libs/runs';
import type { ReadinessChecks } from '#libs/service';
import type { Logger } from '#libs/telemetry';
import type { Toolset } from '#libs/tools';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { GatewayConfig } from './config.js';
import { ControlController } from './control.controller.js';
import { HealthController } from './health.controller.js';
import { PagesController } from './pages/pages.controller.js';
import { RunsController } from './runs.controller.js';
import { ADMISSION, NOTICES, READINESS, RUNS, STOPPING, TOOLSETS } from './tokens.js';
import { ToolsetsController } from './toolsets.controller.js';

export interface GatewayParts {
  config: GatewayConfig;
  redis: Redis;
  toolsets: ReadonlyMap<string, Toolset>;
  /** Aborts when this process stops: whoever waits or streams is let go. */
  stopping: AbortSignal;
  log: Logger;
}

@Module({})
export class AppModule {
  static register(parts: GatewayParts): DynamicModule {
    const { config, redis, toolsets, stopping, log } = parts;
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
      controllers: [
        RunsController,
        ControlController,
        ToolsetsController,
        HealthController,
        PagesController,
      ],
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
              retentionDays: config.RETENTION_DAYS,
              log,
            }),
        },
        {
          provide: NOTICES,
          inject: [RUNS],
          useFactory: ({ pool }: Runs) => new RunNotices({ redis, pool, log }),
        },
        {
          provide: ADMISSION,
          inject: [RUNS],
          useFactory: ({ pool }: Runs) =>
            Admission.open({ redis, pool, maxOpenRuns: config.MAX_OPEN_RUNS, log }),
        },
        { provide: TOOLSETS, useValue: toolsets },
        { provide: STOPPING, useValue: stopping },
        {
          provide: READINESS,
          inject: [RUNS],
          useFactory: (runs: Runs): ReadinessChecks => ({
            ledger: () => runs.epoch.isFresh(),
            redis: () => redis.status === 'ready',
            running: () => !stopping.aborted,
          }),
        },
      ],
    };
  }
}
