import { HammerlineError } from '#libs/contracts';
import { ModelCard } from '#libs/models';
import type { RunInput, Runs } from '#libs/runs';
import { createLogger } from '#libs/telemetry';
import { describe, expect, it, vi } from 'vitest';
import type { ModelFeed } from './feed/model-feed.js';
import { createTurnTaker } from './take-turn.js';

const TOOLSET = {
  tools: [
    {
      name: 'nothing',
      description: 'Does nothing.',
      parameters: { type: 'object', properties: {} },
      effect: 'read',
    },
  ],
};

/** What the ledger is told of a turn that met this error, after so many claims of which so many count as tries. */
async function toldOf(error: Error, { attempt, tries }: { attempt: number; tries: number }) {
  const run = { id: 'run', tenantId: 't', toolsetHash: 'h', mask: 'off', attempt, tries };
  const told: RunInput[] = [];
  const engine = {
    claimTurn: async () => ({ run, messages: [{ role: 'user', content: 'do it' }] }),
    ledger: { toolset: async () => TOOLSET },
    apply: async (_: string, input: RunInput) => {
      told.push(input);
      return {};
    },
  };
  const model = {
    isOpen: true,
    card: ModelCard.parse({
      name: 'm',
      flavour: 'compact',
      contextTokens: 4_096,
      maskTrained: false,
    }),
    leaving: new AbortController().signal,
    generate: async () => {
      throw error;
    },
  };
  const take = createTurnTaker({
    runs: { engine, epoch: { id: 'p', isFresh: () => true } } as unknown as Runs,
    model: model as unknown as ModelFeed,
    log: createLogger('test', 'fatal'),
  });
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.5);
  await take({ runId: 'run' });
  random.mockRestore();
  expect(told).toHaveLength(1);
  return told[0];
}

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
    expect(await toldOf(error, { attempt: 2 + delays, tries: 2 })).toMatchObject({
      type: 'turn.delay',
      error: { code: error.code, message: error.message },
      dueInMs,
    });
  });
});

it.each([
  [new HammerlineError('model_failed', 'died'), 'model_failed', true],
  [new HammerlineError('context_overflow', 'long'), 'context_overflow', false],
  [new Error('a bug'), 'internal', true],
])('a turn that fails by %s has failed', async (error, code, retryable) => {
  const told = await toldOf(error, { attempt: 1, tries: 1 });
  expect(told).toMatchObject({ type: 'turn.fail', error: { code }, retryable });
});
