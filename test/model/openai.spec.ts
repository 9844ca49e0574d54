import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { defaultModel } from '../../apps/worker/src/models/default-model.js';
import type { Model } from '../../apps/worker/src/models/model.js';
import { openModel } from '../../apps/worker/src/models/open-model.js';
import type { Server } from '../../scripts/server.mjs';
import { startLlamaServer } from '../support/llama-server.js';
import { itAnswers, itKeepsTheContract } from './contract.js';

let server: Server;
let folder: string;

beforeAll(async () => {
  server = await startLlamaServer({ slots: 1, apiKey: 'secret' });
  folder = await mkdtemp(path.join(tmpdir(), 'hammerline-card-'));
  await writeFile(path.join(folder, 'card.json'), JSON.stringify(defaultModel.card));
});

afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true });
});

function open(OPENAI_API: 'completions' | 'chat'): Promise<Model> {
  return openModel({
    RUNTIME: 'openai',
    MODEL: 'default',
    MODEL_CACHE: '',
    MODEL_CARD: path.join(folder, 'card.json'),
    MODEL_STALL_MS: 120_000,
    GUIDED_DECODING: 'auto',
    TRITON_BALANCE: 'affinity',
    OPENAI_BASE_URL: server.url,
    OPENAI_API_KEY: 'secret',
    OPENAI_API,
  });
}

describe("llama.cpp's server, by completions", () => {
  itKeepsTheContract(() => open('completions'));
});

describe("llama.cpp's server, by chat", () => {
  itAnswers(() => open('chat'));
});
