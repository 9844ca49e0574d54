import { afterAll, beforeAll, describe } from 'vitest';
import type { Model } from '../../apps/worker/src/models/model.js';
import { openModel } from '../../apps/worker/src/models/open-model.js';
import { type HammerTriton, startHammerTriton } from '../support/hammer-triton.js';
import { itAnswers, itKeepsTheContract } from './contract.js';

let server: HammerTriton;

beforeAll(async () => {
  server = await startHammerTriton({ slots: 1 });
});

afterAll(async () => {
  await server?.stop();
});

function open(TRITON_URL: string): Promise<Model> {
  return openModel({
    RUNTIME: 'triton',
    MODEL_CACHE: '',
    MODEL_STALL_MS: 120_000,
    GUIDED_DECODING: 'auto',
    TRITON_URL,
    TRITON_BALANCE: 'affinity',
    OPENAI_API: 'completions',
  });
}

describe('Triton, over gRPC', () => {
  itKeepsTheContract(() => open(`grpc://${server.grpc}`));
});

describe('Triton, over HTTP', () => {
  itAnswers(() => open(server.http));
});
