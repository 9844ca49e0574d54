import { HammerlineError, type Message } from '#libs/contracts';
import { promptText } from '#libs/hammer';
import { ModelCard } from '#libs/models';
import type { EarlierCall, RunInput, Runs } from '#libs/runs';
import { createLogger } from '#libs/telemetry';
import { describe, expect, it, vi } from 'vitest';
import type { ModelFeed } from './feed/model-feed.js';
import type { GenerateRequest, Generation } from './models/model.js';
import { createTurnTaker } from './take-turn.js';

const place = { kind: 'http', method: 'POST', url: 'http://tool.example' };
const parameters = { type: 'object', properties: {} };
const TOOLSET = {
  tools: [
    { name: 'look', description: 'Looks.', parameters, effect: 'read', approval: 'never' },
    {
      name: 'send',
      description: 'Sends.',
      parameters,
      effect: 'once',
      approval: 'always',
      probe: place,
    },
  ],
};
const messages: Message[] = [{ role: 'user', content: 'do it' }];
const RUN = { id: 'run', tenantId: 't', toolsetHash: 'h', mask: 'off', until: 'calls', turn: 1 };

interface Scene {
  run?: object;
  earlier?: EarlierCall[];
  halt?: AbortController;
  isStopped?: boolean;
  generate: (request: GenerateRequest) => Promise<Generation>;
}

/** What the ledger is told of a turn. */
async function told(scene: Scene): Promise<RunInput[]> {
  return (await takenTurn(scene)).inputs;
}

async function takenTurn(scene: Scene): Promise<{ inputs: RunInput[]; cost: number | void }> {
  const { run, earlier = [], halt = new AbortController(), isStopped = false, generate } = scene;
  const inputs: RunInput[] = [];
  let watched = 0;
  const engine = {
    claimTurn: async () => {
      expect(watched).toBe(1);
      return { run: { ...RUN, attempt: 1, tries: 1, ...run }, messages, earlier };
    },
    ledger: { toolset: async () => TOOLSET },
    apply: async (_: string, input: RunInput) => {
      inputs.push(input);
      return {};
    },
  };
  const card = { name: 'm', flavour: 'compact', contextTokens: 4_096, maskTrained: false };
  const model = { isOpen: true, isStopped, card: ModelCard.parse(card), generate };
  const take = createTurnTaker({
    runs: { engine, epoch: { id: 'p', isFresh: () => true } } as unknown as Runs,
    model: model as unknown as ModelFeed,
    halts: {
      watch: () => {
        watched += 1;
        return { signal: halt.signal, release: () => void (watched -= 1) };
      },
    },
    log: createLogger('test', 'fatal'),
  });
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.5);
  const cost = await take({ runId: 'run' });
  random.mockRestore();
  expect(watched).toBe(0);
  return { inputs, cost };
}

const says =
  (text: string): Scene['generate'] =>
  async () => ({
    text,
    tokens: [{ text, logprob: 0 }],
    finishReason: 'stop',
    usage: { inputTokens: 20, outputTokens: 3 },
    firstTokenMs: 1,
  });

const throws =
  (error: Error): Scene['generate'] =>
  async () => {
    throw error;
  };

describe('a turn that is answered', () => {
  it('tells the calls with what their tools say of them, and the tokens that it took', async () => {
    const generate = says('[{"name": "look", "arguments": {}}, {"name": "send", "arguments": {}}]');
    const id = expect.stringMatching(/^[0-9a-f-]{36}$/) as string;
    const { inputs, cost } = await takenTurn({ generate });
    expect(cost).toBe(23);
    expect(inputs).toEqual([
      {
        type: 'turn.resolve',
        token: expect.any(String) as string,
        model: 'm',
        confidence: 1,
        confidenceThreshold: 1,
        tokens: 23,
        answer: {
          outcome: 'calls',
          calls: [
            { id, name: 'look', arguments: {}, effect: 'read', approval: 'never', hasProbe: false },
            { id, name: 'send', arguments: {}, effect: 'once', approval: 'always', hasProbe: true },
          ],
          repeated: [],
        },
      },
    ]);
  });

  it('names the calls that the run has made before, with the same arguments and success', async () => {
    const made = { turn: 1, name: 'send', arguments: {}, result: null, error: null };
    const repeats = async (state: 'succeeded' | 'failed', given = {}) => {
      const earlier = [{ ...made, id: 'c', state, arguments: given }];
      const generate = says('[{"name": "send", "arguments": {}}]');
      const [input] = await told({ run: { turn: 2 }, earlier, generate });
      const answer = input?.type === 'turn.resolve' ? input.answer : undefined;
      if (answer?.outcome !== 'calls') throw new Error('no calls');
      return answer.repeated?.length === 1 && answer.repeated[0] === answer.calls[0]?.id;
    };
    expect(await repeats('succeeded')).toBe(true);
    expect(await repeats('failed')).toBe(false);
    expect(await repeats('succeeded', { to: 'another' })).toBe(false);
  });

  it('was shown what the calls of earlier turns came to; without more calls it closes with words', async () => {
    const look = { id: 'c', turn: 1, name: 'look', arguments: {}, state: 'succeeded' } as const;
    const prompts: string[] = [];
    const inputs = await told({
      run: { until: 'answer', turn: 2 },
      earlier: [{ ...look, result: { seen: 42 }, error: null }],
      generate: (request) => {
        prompts.push(promptText(request.prompt));
        return says('[]')(request);
      },
    });
    expect(prompts).toEqual([expect.stringContaining('tool\n{"seen":42}')]);
    const text = expect.stringContaining('no further call') as string;
    expect(inputs).toMatchObject([{ answer: { outcome: 'irrelevant', text } }]);
  });
});

const away = new HammerlineError('model_unavailable', 'away');
const full = new HammerlineError('model_overloaded', 'queue full');

describe('a turn that the model cannot take now', () => {
  it.each([
    ['is offered to others at once', away, 0, 0],
    ['rests longer each time that nobody had it', away, 1, 1_000],
    ['rests longer each time that nobody had it', away, 3, 4_000],
    ['rests where there is too much to do', full, 0, 500],
    ['rests longer each time there is too much to do', full, 4, 8_000],
    ['rests half a minute at most', full, 900, 30_000],
  ])('%s (%s, delayed %i times)', async (_, error, delays, dueInMs) => {
    const run = { attempt: 2 + delays, tries: 2 };
    expect(await told({ run, generate: throws(error) })).toMatchObject([
      { type: 'turn.delay', error: { code: error.code, message: error.message }, dueInMs },
    ]);
  });

  it('is offered to others at once by a worker that stops, however often it rested', async () => {
    const scene = { run: { attempt: 9, tries: 1 }, isStopped: true, generate: throws(away) };
    expect(await told(scene)).toMatchObject([{ type: 'turn.delay', dueInMs: 0 }]);
  });
});

it.each([
  [new HammerlineError('model_failed', 'died'), 'model_failed', true],
  [new HammerlineError('context_overflow', 'long'), 'context_overflow', false],
  [new Error('a bug'), 'internal', true],
])('a turn that fails by %s has failed', async (error, code, retryable) => {
  expect(await told({ generate: throws(error) })).toMatchObject([
    { type: 'turn.fail', error: { code }, retryable },
  ]);
});

it('a turn whose run is halted is dropped', async () => {
  const halt = new AbortController();
  const generate = (request: GenerateRequest): Promise<Generation> => {
    halt.abort(new HammerlineError('cancelled', 'its run was cancelled'));
    return Promise.reject(request.signal.reason as Error);
  };
  expect(await told({ halt, generate })).toEqual([]);
});
