import { v7 as uuidv7 } from 'uuid';
import type { ReplayReport, Run } from '#libs/contracts';
import { readEvents } from '#libs/runs';
import { describe, expect, it } from 'vitest';
import { useDesk, type Answer, type Desk } from './support/desk.js';

const LOOK = { name: 'look_up', arguments: { word: 'hammer' } } as const;
/** As its server sees it: the arguments of a GET stand in the address. */
const LOOK_PATH = '/look-up?word=hammer';
const LIGHT = { name: 'switch_light', arguments: { room: 'kitchen' } } as const;
const PAY = { name: 'pay', arguments: { invoice: 'A-17' } } as const;
const SEND = { name: 'send', arguments: { recipient: 'Dana', text: 'Ready.' } } as const;
const BROKEN = { status: 400 };

const desk = useDesk();

const replay = (body: object): Promise<Answer> => desk.post('/v1/runs/replay', body);

/** Replays one run, and gives the new one, ended. */
async function replayed({ id }: Run, over: object = {}): Promise<Run> {
  const { status, body } = await replay({ filter: { ids: [id] }, ...over });
  expect([status, body]).toMatchObject([202, { runs: [{ replayOf: id }] }]);
  return desk.stack.ended((body as ReplayReport).runs[0]?.id ?? '');
}

async function ended(...[turns, over]: Parameters<Desk['submit']>): Promise<Run> {
  return desk.stack.ended((await desk.submit(turns, over)).id);
}

const counts = (over: Partial<ReplayReport>): object => ({
  matched: 0,
  replayable: 0,
  needsChoice: 0,
  alreadyReplayed: 0,
  nothingToDo: 0,
  limit: 1_000,
  complete: true,
  runs: [],
  ...over,
});
const paths = (): string[] =>
  desk.tools.effects.map(({ path }) => path.split('?')[0] ?? '').toSorted();

describe('a replay', () => {
  it('is counted first; then it makes the calls that failed, and no other', async () => {
    desk.tools.script('/light', BROKEN);
    const first = await ended([[LOOK, LIGHT, PAY]]);
    expect(first).toMatchObject({ state: 'failed', error: { code: 'tool_failed' } });
    const since = { createdAfter: first.createdAt };
    const filter = { code: 'tool_failed', toolset: 'desk', ...since };
    expect(await replay({ filter, dryRun: true })).toEqual({
      status: 200,
      body: counts({ matched: 1, replayable: 1 }),
    });
    const { status, body } = await replay({ filter });
    expect(status).toBe(202);
    const [{ id }] = body.runs;
    const second = await desk.stack.ended(id);
    expect(second).toMatchObject({
      state: 'succeeded',
      replayOf: first.id,
      query: first.query,
      model: 'scripted',
      calls: [
        { name: 'look_up', state: 'succeeded', attempt: 1 },
        { name: 'switch_light', state: 'succeeded', attempt: 1 },
        { name: 'pay', state: 'succeeded', attempt: 1 },
      ],
    });
    expect(second.calls[2]?.result).toEqual(first.calls[2]?.result);
    expect(second.calls.map((call) => call.id)).not.toContain(first.calls[2]?.id);
    expect(paths()).toEqual(['/light', '/light', '/look-up', '/pay']);
    // The model was not asked again.
    expect(await readEvents(desk.pool, 'default', id, 0)).toMatchObject([
      { type: 'run.accepted', data: { replayOf: first.id, by: 'configured' } },
      { type: 'call.claimed' },
      { type: 'call.settled' },
      { type: 'run.ended' },
    ]);
    // A trace of its own, from the replay to the tool.
    expect(second.traceId).not.toBe(first.traceId);
    expect((await desk.stack.spans(id, 2))[0]?.name).toBe('replay run');
  });

  it('of the same runs begins nothing twice, however often it is asked for', async () => {
    desk.tools.script(LOOK_PATH, BROKEN);
    const first = await ended([[LOOK]]);
    const filter = { state: ['failed'], createdAfter: first.createdAt };
    const answers = await Promise.all([1, 2, 3].map(() => replay({ filter })));
    const begun = answers.flatMap(({ body }) => (body as ReplayReport).runs);
    expect(begun).toHaveLength(1);
    await desk.stack.ended(begun[0]?.id ?? '');
    expect(await replay({ filter })).toEqual({
      status: 200,
      body: counts({ matched: 1, alreadyReplayed: 1 }),
    });
    await replayed(first, { again: true });
    const { body } = await replay({ filter });
    expect(body).toEqual(counts({ matched: 1, alreadyReplayed: 1 }));
  });

  it('makes once calls again by choice alone, as new ones', async () => {
    desk.tools.script('/pay', BROKEN);
    desk.tools.script(LOOK_PATH, BROKEN);
    const first = await ended([[PAY, LOOK]]);
    const filter = { ids: [first.id] };
    expect(await replay({ filter })).toEqual({
      status: 200,
      body: counts({ matched: 1, needsChoice: 1 }),
    });
    const kept = await replayed(first, { once: 'keep' });
    expect(kept).toMatchObject({
      state: 'failed',
      calls: [
        { name: 'pay', state: 'failed', error: { code: 'tool_failed' } },
        { name: 'look_up', state: 'succeeded' },
      ],
    });
    expect(paths()).toEqual(['/look-up', '/look-up', '/pay']);
    const retried = await replayed(first, { once: 'retry', again: true });
    expect(retried).toMatchObject({ state: 'succeeded' });
    const keys = desk.tools.effects.filter(({ path }) => path === '/pay').map(({ key }) => key);
    expect(keys).toEqual([first.calls[0]?.id, retried.calls[0]?.id]);
  });

  it('takes what nobody found out as failed, or makes it again', async () => {
    const unknown = async (over: object): Promise<Run> => {
      desk.tools.script('/pay', { status: 500 });
      const { id } = await desk.submit([[PAY]], over);
      await desk.once(id, ({ calls }) => calls[0]?.state === 'outcome_unknown');
      await desk.post(`/v1/runs/${id}/cancel`);
      return desk.stack.ended(id);
    };
    const first = await unknown({});
    expect(await replay({ filter: { ids: [first.id] }, once: 'keep' })).toEqual({
      status: 200,
      body: counts({ matched: 1, nothingToDo: 1 }),
    });
    expect(await replayed(first, { once: 'retry' })).toMatchObject({ state: 'succeeded' });
    expect(paths()).toEqual(['/pay', '/pay']);
    // Where results go back to the model, it hears that nobody knows.
    const asked = await unknown({ until: 'answer' });
    expect(await replayed(asked, { once: 'keep' })).toMatchObject({
      state: 'succeeded',
      outcome: 'answer',
      calls: [{ state: 'failed', error: { code: 'outcome_unknown' }, turn: 1 }],
    });
    expect(paths()).toEqual(['/pay', '/pay', '/pay']);
  });

  it('of many turns keeps those before, and asks for approval again', async () => {
    const { id } = await desk.submit([[LOOK], [SEND]], { until: 'answer', expiresInS: 900 });
    const isWaiting = ({ calls }: Run): boolean => calls[1]?.state === 'awaiting_approval';
    const first = await desk.once(id, isWaiting);
    expect(await replay({ filter: { ids: [id] } })).toMatchObject({
      status: 409,
      body: { code: 'not_possible', detail: expect.stringContaining(id) as string },
    });
    await desk.post(`/v1/runs/${id}/cancel`);
    const { body } = await replay({ filter: { ids: [id] } });
    const second = await desk.once(body.runs[0].id, isWaiting);
    expect(second).toMatchObject({
      state: 'executing',
      calls: [
        { name: 'look_up', turn: 1, state: 'succeeded', result: { done: true } },
        { name: 'send', turn: 2, arguments: SEND.arguments, attempt: 0 },
      ],
    });
    const lifeOf = (run: Run): number => Date.parse(run.deadline) - Date.parse(run.createdAt);
    expect(Math.abs(lifeOf(second) - lifeOf(first))).toBeLessThanOrEqual(1);
    const [, call] = second.calls;
    await desk.post(`/v1/runs/${second.id}/calls/${call?.id}/approval`, {
      decision: 'approve',
      argumentsHash: call?.argumentsHash,
    });
    expect(await desk.stack.ended(second.id)).toMatchObject({
      state: 'succeeded',
      outcome: 'answer',
    });
    expect(paths()).toEqual(['/look-up', '/send']);
  });

  it('asks the model again where all its calls were denied', async () => {
    const { id } = await desk.submit([[SEND], [SEND]]);
    const isWaiting = ({ calls }: Run): boolean => calls[0]?.state === 'awaiting_approval';
    const [call] = (await desk.once(id, isWaiting)).calls;
    await desk.post(`/v1/runs/${id}/calls/${call?.id}/approval`, {
      decision: 'deny',
      argumentsHash: call?.argumentsHash,
    });
    await desk.stack.ended(id);
    const { body } = await replay({ filter: { ids: [id] } });
    const second = await desk.once(body.runs[0].id, isWaiting);
    expect(second.calls).toHaveLength(1);
    await desk.post(`/v1/runs/${second.id}/cancel`);
    expect(desk.tools.effects).toEqual([]);
  });

  it('of a run whose budget is spent has nothing to do, nor of one that did all', async () => {
    const spent = await ended([[LOOK]], { until: 'answer', budget: { turns: 1 } as never });
    expect(spent).toMatchObject({ state: 'failed', error: { code: 'budget_spent' } });
    const done = await ended([[LOOK]]);
    const { status, body } = await replay({ filter: { ids: [spent.id, done.id] } });
    expect([status, body]).toEqual([200, counts({ matched: 2, nothingToDo: 2 })]);
  });
});

describe('the list', () => {
  it('keeps what fits, newest first, by cursor', async () => {
    desk.tools.script(LOOK_PATH, BROKEN, BROKEN);
    const failed = [await ended([[LOOK]]), await ended([])];
    const runs = [...failed, await ended([[LOOK]])];
    const since = `createdAfter=${runs[0]?.createdAt}`;
    const ids = async (query: string): Promise<string[]> => {
      const { status, body } = await desk.get(`/v1/runs?${query}`);
      expect(status).toBe(200);
      return body.runs.map(({ id }: Run) => id);
    };
    const [a = '', b = '', c = ''] = runs.map(({ id }) => id);
    expect(await ids(since)).toEqual([c, b, a]);
    expect(await ids(`${since}&state=failed,expired`)).toEqual([c, a]);
    expect(await ids(`${since}&state=succeeded`)).toEqual([b]);
    expect(await ids(`${since}&code=tool_failed&toolset=desk`)).toEqual([c, a]);
    expect(await ids(`${since}&code=expired`)).toEqual([]);
    expect(await ids(`${since}&callState=succeeded,failed`)).toEqual([c, a]);
    expect(await ids(`${since}&callState=failed&state=succeeded`)).toEqual([]);
    expect(await ids(`${since}&toolset=inline`)).toEqual([]);
    expect(await ids(`${since}&createdBefore=${runs[2]?.createdAt}`)).toEqual([b, a]);
    const { body } = await desk.get(`/v1/runs?${since}&state=failed&limit=1`);
    expect(body).toMatchObject({ runs: [{ id: c }], next: c });
    const next = await desk.get(`/v1/runs?${since}&state=failed&limit=1&cursor=${c.toUpperCase()}`);
    expect(next.body).toMatchObject({ runs: [{ id: a }] });
    expect(next.body.next).toBeUndefined();
  });

  it('is a page in a browser, too', async () => {
    const page = await desk.stack.request('/?state=failed,expired');
    expect(page.status).toBe(200);
    const text = await page.text();
    expect(text).toContain('tool_failed');
    expect(text).not.toContain('succeeded</span');
    expect((await desk.stack.request('/?state=bad')).status).toBe(422);
    const [, waiting = ''] = /href="([^"]*)">Waiting for a person/.exec(text) ?? [];
    expect((await desk.stack.request(waiting.replaceAll('&amp;', '&'))).status).toBe(200);
  });
});

describe('bad input', () => {
  it.each<[string, object, string]>([
    ['no filter', {}, '/filter'],
    ['a filter that chooses nothing', { filter: {} }, '/filter'],
    ['a state that is no end', { filter: { state: ['queued'] } }, '/filter/state/0'],
    ['no state', { filter: { state: [] } }, '/filter/state'],
    ['an unknown code', { filter: { code: 'x' } }, '/filter/code'],
    ['an unknown field', { filter: { code: 'expired', colour: 'x' } }, '/filter/colour'],
    ['a time that is none', { filter: { createdAfter: 'now' } }, '/filter/createdAfter'],
    ['an id that is none', { filter: { ids: ['x'] } }, '/filter/ids/0'],
    ['another choice', { filter: { code: 'expired' }, once: 'maybe' }, '/once'],
    ['again without ids', { filter: { code: 'expired' }, again: true }, '/again'],
    [
      'too many ids',
      { filter: { ids: Array.from({ length: 1_001 }, () => uuidv7()) } },
      '/filter/ids',
    ],
  ])('%s', async (_, body, pointer) => {
    const answer = await replay(body);
    expect([answer.status, answer.body.code]).toEqual([422, 'invalid_request']);
    const errors = answer.body.errors as { pointer: string; mend?: string }[];
    expect(errors).toMatchObject([{ pointer, mend: expect.stringMatching(/\w/) as string }]);
  });

  it('a run that is not there', async () => {
    const id = uuidv7();
    const answer = await replay({ filter: { ids: [id] } });
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(answer.body.detail).toContain(id);
  });
});

describe('many runs', () => {
  /** Runs of another tenant that nobody worked at: `failed` of them failed, and are older than all others. */
  const fill = async (failed: number, succeeded: number): Promise<void> => {
    const ids = Array.from({ length: failed + succeeded }, () => uuidv7()).toSorted();
    await desk.pool.query(
      `WITH made AS (
         INSERT INTO runs (id, tenant_id, state, version, mode, mask, toolset_name, toolset_hash, traceparent, turn,
                           attempt, due_at, error, ended_at)
         SELECT id, 'other', CASE WHEN n <= $2 THEN 'failed' ELSE 'succeeded' END, 2, 'execute', 'off', 'desk',
                (SELECT hash FROM toolsets LIMIT 1), '', 1, 1, now(),
                CASE WHEN n <= $2 THEN '{"code":"model_failed","message":"m"}'::json END, now()
         FROM unnest($1::uuid[]) WITH ORDINALITY AS made(id, n) RETURNING id
       )
       INSERT INTO inputs (run_id, tenant_id, messages, query)
       SELECT id, 'other', '[{"role":"user","content":"hello"}]', 'hello' FROM made`,
      [ids, failed],
    );
  };
  const KEY = 'hl_key_of_the_tenant_called_other';

  it('are sifted a bounded part at a time, and replayed a thousand at a time', async () => {
    await desk.stack.apps.worker.stop();
    await fill(1_005, 5_500);
    const list = async (query: string): Promise<{ runs: Run[]; next?: string }> =>
      (await desk.get(`/v1/runs?limit=100&state=failed${query}`, KEY)).body;
    const first = await list('');
    expect(first.runs).toEqual([]);
    const second = await list(`&cursor=${first.next}`);
    expect(second.runs).toHaveLength(100);
    const filter = { code: 'model_failed' };
    const report = (await desk.post('/v1/runs/replay', { filter }, KEY)).body as ReplayReport;
    expect(report).toMatchObject({ matched: 1_005, replayable: 1_005, complete: true });
    expect(report.runs).toHaveLength(1_000);
    const originals = report.runs.map(({ replayOf }) => replayOf);
    expect(originals).toEqual(originals.toSorted());
    const rest = (await desk.post('/v1/runs/replay', { filter }, KEY)).body as ReplayReport;
    expect(rest).toMatchObject({ matched: 1_005, replayable: 5, alreadyReplayed: 1_000 });
    expect(rest.runs).toHaveLength(5);
    expect((await desk.get('/v1/runs?state=queued&limit=1', KEY)).body.runs).toHaveLength(1);
  });
});
