import { BullModule, getQueueToken } from '@nestjs/bullmq';
import { Module, type DynamicModule } from '@nestjs/common';
import { QUEUES } from '#libs/contracts';
import {
  consumeHints,
  Halts,
  HINT_JOB_OPTIONS,
  openRuns,
  QUEUE_PREFIX,
  type Runs,
} from '#libs/runs';
import type { Logger } from '#libs/telemetry';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { WorkerConfig } from './config.js';
import type { ModelFeed } from './feed/model-feed.js';
import { createTurnTaker } from './take-turn.js';

export const RUNS = Symbol('runs');
export const HALTS = Symbol('halts');
export const CONSUMER = Symbol('consumer of turn hints');

export interface WorkerParts {
  config: WorkerConfig;
  redis: Redis;
  /** A connection whose commands wait: BullMQ blocks on it for the next hint. */
  blockingRedis: Redis;
  model: ModelFeed;
  log: Logger;
}

@Module({})
export class AppModule {
  static register({ config, redis, blockingRedis, model, log }: WorkerParts): DynamicModule {
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
      providers: [
        {
          provide: RUNS,
          inject: [getQueueToken(QUEUES.turn), getQueueToken(QUEUES.call)],
          useFactory: (turn: Queue, call: Queue) =>
            openRuns({
              service: 'worker',
              databaseUrl: config.DATABASE_URL,
              redis,
              queues: { turn, call },
              retentionDays: config.RETENTION_DAYS,
              log,
            }),
        },
        {
          provide: HALTS,
          inject: [RUNS],
          useFactory: ({ engine }: Runs) => Halts.open({ redis, engine, log }),
        },
        {
          provide: CONSUMER,
          inject: [RUNS, HALTS],
          useFactory: (runs: Runs, halts: Halts) =>
            consumeHints({
              kind: 'turn',
              connection: blockingRedis,
              concurrency: model.concurrency,
              dispatcher: runs.dispatcher,
              // As when it is asked to stop: what it has in work ends well, and the supervisor starts another one.
              onSilent: () => process.kill(process.pid, 'SIGTERM'),
              log,
              take: createTurnTaker({ runs, model, halts, log }),
            }),
        },
      ],
    };
  }
}
