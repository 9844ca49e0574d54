import type { Run } from '#libs/contracts';
import { expect, it } from 'vitest';
import { useDesk } from '../support/desk.js';
import { dyingAt, type Failpoint } from '../support/failpoints.js';

const PAY = { name: 'pay', arguments: { invoice: 'A-17' } } as const;
const LIGHT = { name: 'switch_light', arguments: { room: 'kitchen' } } as const;

const desk = useDesk();

/** One process of an app after the other that dies at its place, each with a run of its own; then one that lives. */
async function dieAt<Point extends Failpoint>(
  app: 'gateway' | 'worker' | 'executor',
  points: readonly Point[],
  submit: (point: Point) => Promise<Run | undefined>,
): Promise<(Run | undefined)[]> {
  const runs: (Run | undefined)[] = [];
  await desk.stack.apps[app].stop();
  for (const point of points) {
    const dying = await desk.stack.startApp(app, dyingAt(point));
    desk.stack.apps[app] = dying;
    runs.push(await submit(point));
    expect(await dying.exited).toEqual({ code: null, signal: 'SIGKILL' });
  }
  desk.stack.apps[app] = await desk.stack.startApp(app);
  return runs;
}

function effectsOf({ calls }: Run): number {
  return desk.tools.effects.filter(({ key }) => key === calls[0]?.id).length;
}

it('a gateway dies with a run accepted: the same key finds it, and it ends', async () => {
  const points = ['commit/add', 'gate/queue'] as const;
  const submit = (point: string): Promise<Run> =>
    desk.stack.submit(
      { query: `Answer with ${JSON.stringify([PAY])} #${point}`, toolset: 'desk' },
      { 'idempotency-key': point },
    );
  await dieAt('gateway', points, async (point) => {
    await expect(submit(point)).rejects.toThrow('fetch failed');
    return undefined;
  });
  for (const point of points) {
    const ended = await desk.stack.ended((await submit(point)).id);
    expect(ended).toMatchObject({ state: 'succeeded' });
    expect(effectsOf(ended)).toBe(1);
  }
  expect(desk.tools.effects).toHaveLength(2);
});

it('a worker dies in the middle of a turn: the turn is done again only if its answer was not kept', async () => {
  const points = ['claim/ask', 'answer/outcome', 'outcome/notice', 'gate/queue'] as const;
  // The model says the same where it is asked again.
  const runs = await dieAt('worker', points, () => desk.submit([[PAY], [PAY]]));
  for (const [index, run] of runs.entries()) {
    const ended = await desk.stack.ended(run?.id ?? '');
    expect(ended).toMatchObject({
      state: 'succeeded',
      calls: [{ state: 'succeeded', attempt: 1 }],
    });
    expect(effectsOf(ended)).toBe(1);
    const events = await desk.stack.events(ended.id);
    const isKept = index >= 2;
    expect(events.filter(({ type }) => type === 'turn.claimed')).toHaveLength(isKept ? 1 : 2);
  }
  expect(desk.tools.effects).toHaveLength(points.length);
});

it('an executor dies around a once call: its outcome is unknown unless it was kept, and it is never repeated unasked', async () => {
  const points = ['claim/send', 'answer/outcome', 'outcome/notice'] as const;
  const runs = await dieAt('executor', points, () => desk.submit([[PAY]]));
  const [unsent, unheard, kept] = runs.map((run) => run?.id ?? '') as [string, string, string];
  const isUnknown = ({ calls }: Run): boolean => calls[0]?.state === 'outcome_unknown';
  for (const [id, effects] of [
    [unsent, 0],
    [unheard, 1],
  ] as const) {
    const unknown = await desk.once(id, isUnknown);
    expect(effectsOf(unknown)).toBe(effects);
    const route = `/v1/runs/${id}/calls/${unknown.calls[0]?.id}/outcome`;
    const outcome = effects === 0 ? 'retry' : 'succeeded';
    expect((await desk.post(route, { outcome })).status).toBe(200);
  }
  for (const id of [unsent, unheard, kept]) {
    const ended = await desk.stack.ended(id);
    expect(ended).toMatchObject({ state: 'succeeded', calls: [{ state: 'succeeded' }] });
    expect(effectsOf(ended)).toBe(1);
  }
});

it('an executor dies around an idempotent call: it is made again under the same key unless its outcome was kept', async () => {
  const points = ['claim/send', 'answer/outcome', 'outcome/notice'] as const;
  const runs = await dieAt('executor', points, () => desk.submit([[LIGHT]]));
  const effects: number[] = [];
  for (const run of runs) {
    const ended = await desk.stack.ended(run?.id ?? '');
    expect(ended).toMatchObject({ state: 'succeeded', calls: [{ state: 'succeeded' }] });
    effects.push(effectsOf(ended));
  }
  expect(effects).toEqual([1, 2, 1]);
  expect(desk.tools.effects).toHaveLength(4);
});
