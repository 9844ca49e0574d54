import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HammerlineError } from '#libs/contracts';
import { compilePrompt } from '#libs/hammer';
import type { GenerateRequest, Model } from '../../apps/worker/src/models/model.js';
import { openModel } from '../../apps/worker/src/models/open-model.js';
import { ServedModel } from '../../apps/worker/src/models/served-model.js';
import { TritonServer } from '../../apps/worker/src/models/triton.js';
import { type ScriptedHammer, startScriptedHammer } from '../serving/support/scripted-hammer.js';

const LIST = '[{"name": "f", "arguments": {}}]';
const never = new AbortController().signal;

function request(query: string, change: Partial<GenerateRequest> = {}): GenerateRequest {
  const prompt = compilePrompt('compact', []).render([{ role: 'user', content: query }]);
  return { prompt, maxTokens: 64, signal: never, ...change };
}

async function faultOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.catch((reason: unknown) => reason);
  if (error instanceof HammerlineError) return `${error.code}: ${error.message}`;
  throw new Error('it did not fail', { cause: error });
}

describe.each(['grpc', 'http'] as const)('a real Triton whose model goes wrong, over %s', (way) => {
  let triton: ScriptedHammer;
  let url: string;
  let model: Model;

  const open = (variables: { MODEL?: string; MODEL_LORA?: string; GUIDED_DECODING?: 'off' } = {}) =>
    openModel({
      RUNTIME: 'triton',
      MODEL_CACHE: '',
      MODEL_STALL_MS: 120_000,
      GUIDED_DECODING: 'auto',
      TRITON_URL: url,
      TRITON_BALANCE: 'affinity',
      OPENAI_API: 'completions',
      ...variables,
    });

  beforeAll(async () => {
    triton = await startScriptedHammer({ loaded: false, observe: true });
    url = way === 'grpc' ? `grpc://${triton.grpc}` : triton.http;
    model = await open();
  });

  afterAll(async () => {
    await model?.close();
    await triton?.stop();
  });

  it('is not available while it is loaded, and then it is', async () => {
    triton.set({ loading: true });
    const loaded = triton.load();
    await triton.saw(({ event }) => event === 'loading');
    expect(await faultOf(model.check(never))).toMatch(
      /^model_unavailable: .*hammer.*still be loading/,
    );
    triton.set({ loading: false });
    await loaded;
    await model.check(never);
    expect(model.card.name).toBe('scripted-hammer');
    const answer = await model.generate(request(`Answer with ${LIST}`));
    expect(answer).toMatchObject({ text: LIST, finishReason: 'stop' });
  });

  it('is not there', async () => {
    const other = await open({ MODEL: 'another' });
    expect(await faultOf(other.check(never))).toMatch(/^model_unavailable: .*another/);
    await other.close();
  });

  it('lacks an adapter', async () => {
    const other = await open({ MODEL_LORA: 'tuned' });
    expect(await faultOf(other.check(never))).toMatch(/^model_unavailable: .*LoRA.*MODEL_LORA/);
    await other.close();
  });

  it('cannot hold the prompt', async () => {
    const long = request('word '.repeat(5000));
    expect(await faultOf(model.generate(long))).toMatch(/^context_overflow: .*4096/);
  });

  it('repeats itself without end', async () => {
    const answer = await model.generate(request('Answer with la la …'));
    expect(answer).toMatchObject({ finishReason: 'length', usage: { outputTokens: 64 } });
  });

  it('fails within its answer', async () => {
    triton.set({ fault: { kind: 'error', after: 1, times: 1 } });
    const fault = await faultOf(model.generate(request(`Answer with ${LIST}`)));
    expect(fault).toMatch(/^model_failed: .*EngineCore/);
  });

  it('is left at the server where nothing guides it and its list is complete', async () => {
    const seen = triton.sights().length;
    triton.set({ serviceMs: 1_000 });
    // Calls are wanted, and the server is not told.
    const constraint = { grammar: 'root ::= "[]"', jsonSchema: {} };
    const free = await open({ GUIDED_DECODING: 'off' });
    await free.check(never);
    const asked = request(`Answer with ${LIST} and so on and on …`, { constraint });
    const answer = await free.generate(asked);
    expect(answer).toMatchObject({ text: LIST, finishReason: 'stop' });
    await triton.saw(({ event }) => event === 'cancelled', seen);
    triton.set({ serviceMs: 20 });
    await free.close();
  });

  /** What a model says that is asked for the first time, by a worker that does not wait for long. */
  async function firstFault(): Promise<string> {
    const server = new TritonServer({
      urls: [url],
      model: 'hammer',
      balance: 'affinity',
      stallMs: 500,
    });
    const hasty = new ServedModel({ server, card: undefined, guidedDecoding: 'off' });
    const fault = await faultOf(hasty.check(never));
    await hasty.close();
    return fault;
  }

  it('falls silent within its answer', async () => {
    const seen = triton.sights().length;
    triton.set({ fault: { kind: 'hang', after: 0, times: 1 } });
    expect(await firstFault()).toMatch(/^model_failed: .*said nothing/);
    // Over HTTP, Triton does not notice before it has something to send that nobody listens.
    if (way === 'grpc') await triton.saw(({ event }) => event === 'cancelled', seen);
  });

  it('dies, and is there again once it is loaded anew', async () => {
    triton.set({ fault: { kind: 'die', after: 0, times: 1 } });
    // What it dies of meets silence, and what comes then is told.
    expect(await firstFault()).toMatch(/^model_failed: .*said nothing/);
    triton.set({ fault: { kind: 'die', after: 0, times: 0 } });
    expect(await faultOf(model.generate(request('Go.')))).toMatch(
      /^model_unavailable: .*hammer is dead/,
    );
    await triton.unload();
    await triton.load();
    await model.check(never);
  });

  it('loses its server', async () => {
    await triton.kill();
    expect(await faultOf(model.generate(request('Go.')))).toMatch(
      /^model_unavailable: .*TRITON_URL/,
    );
    expect(await faultOf(model.check(never))).toMatch(/^model_unavailable: .*TRITON_URL/);
  });
});
