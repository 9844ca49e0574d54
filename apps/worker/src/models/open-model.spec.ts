import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ModelConfig, openModel } from './open-model.js';

const card = { name: 'mine', flavour: 'compact', contextTokens: 4096, maskTrained: false };

function config(variables: Partial<ModelConfig>): ModelConfig {
  return {
    RUNTIME: 'embedded',
    MODEL_CACHE: '/nowhere',
    MODEL_STALL_MS: 120_000,
    GUIDED_DECODING: 'auto',
    TRITON_BALANCE: 'affinity',
    OPENAI_API: 'completions',
    ...variables,
  };
}

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'hammerline-model-')), name);
  await writeFile(path, content);
  return path;
}

async function faultOf(variables: Partial<ModelConfig>) {
  return openModel(config(variables)).then(
    () => 'none',
    ({ code, message }: { code: string; message: string }) => `${code}: ${message}`,
  );
}

/** The first 24 bytes of a GGUF file. */
function header(tensors: bigint, entries: bigint): Buffer {
  const bytes = Buffer.from('GGUF'.padEnd(24));
  bytes.writeUInt32LE(3, 4);
  bytes.writeBigUInt64LE(tensors, 8);
  bytes.writeBigUInt64LE(entries, 16);
  return bytes;
}

describe('openModel', () => {
  it.each<[string, Partial<ModelConfig>, RegExp]>([
    ['triton without an address', { RUNTIME: 'triton' }, /^config_invalid: TRITON_URL is not set/],
    ['an address that is none', { TRITON_URL: 'here' }, /^config_invalid: TRITON_URL .*"here"/],
    [
      'a guide that is not for Triton',
      { TRITON_URL: 'grpc://h', GUIDED_DECODING: 'grammar' },
      /^config_invalid: GUIDED_DECODING is grammar/,
    ],
    ['openai without an address', { RUNTIME: 'openai', MODEL: 'm' }, /OPENAI_BASE_URL is not set/],
    [
      'openai without a model',
      { RUNTIME: 'openai', OPENAI_BASE_URL: 'http://h/v1' },
      /^config_invalid: MODEL is not set/,
    ],
    [
      'openai with a model that nobody knows',
      { RUNTIME: 'openai', OPENAI_BASE_URL: 'http://h/v1', MODEL: 'm' },
      /^config_invalid: MODEL_CARD is not set, and MODEL=m/,
    ],
    ['a card for the default model', { MODEL_CARD: 'card' }, /MODEL_CARD is for another model/],
    ['an adapter for the default model', { MODEL_LORA: 'a' }, /MODEL_LORA is for another model/],
    ['a guide for the embedded one', { GUIDED_DECODING: 'off' }, /GUIDED_DECODING is for servers/],
  ])('refuses %s', async (_, variables, fault) => {
    const named = variables.MODEL_CARD && (await file('card.json', JSON.stringify(card)));
    const RUNTIME = variables.RUNTIME ?? (variables.TRITON_URL ? 'triton' : 'embedded');
    expect(await faultOf({ ...variables, RUNTIME, MODEL_CARD: named })).toMatch(fault);
  });

  it.each([
    ['{', /card\.json holds no model card: .*JSON/],
    ['{"name": "m", "flavour": "mine"}', /flavour.*contextTokens/],
  ])('refuses the card %s', async (text, fault) => {
    const MODEL_CARD = await file('card.json', text);
    expect(await faultOf({ MODEL_CARD })).toMatch(/^config_invalid: MODEL_CARD: /);
    expect(await faultOf({ MODEL_CARD })).toMatch(fault);
  });

  it('asks nothing of a server', async () => {
    const away = 'grpc://no-such-host.invalid:8001';
    const triton = await openModel(config({ RUNTIME: 'triton', TRITON_URL: ` ${away}, ` }));
    expect(triton).toMatchObject({ runtime: 'triton', servers: 0 });
    expect(() => triton.card).toThrow(/has not said yet/);
    await triton.close();
    const OPENAI_BASE_URL = 'http://no-such-host.invalid/v1';
    const MODEL = 'MadeAgents/Hammer2.1-7b';
    const openai = await openModel(config({ RUNTIME: 'openai', OPENAI_BASE_URL, MODEL }));
    expect(openai.card).toMatchObject({
      name: MODEL,
      flavour: 'bfcl-2.1',
      chat: true,
      confidenceThreshold: 1,
    });
    await openai.close();
  });

  it('takes the card that is given', async () => {
    const MODEL_CARD = await file('card.json', JSON.stringify(card));
    const model = await openModel(
      config({ RUNTIME: 'triton', TRITON_URL: 'grpc://127.0.0.1:1', MODEL_CARD }),
    );
    expect(model.card).toMatchObject({ ...card, stop: ['<|im_end|>'] });
    await model.close();
  });

  it('names the missing file in MODEL', async () => {
    expect(await faultOf({ MODEL: '/nowhere/none.gguf' })).toMatch(
      /^model_unavailable: .*none\.gguf.*MODEL/,
    );
  });

  it.each([
    ['is not a model', 'This is not a model.'],
    ['only begins like a model', 'GGUF but not really'],
    ['ends after its header', header(0n, 0n)],
    ['promises more entries than it has', header(3n, 20n)],
    ['is empty', ''],
  ])('refuses a MODEL that %s', async (_, content) => {
    const MODEL = await file('text.gguf', content);
    expect(await faultOf({ MODEL })).toMatch(/^model_unavailable: .*text\.gguf.*MODEL/);
  });
});
