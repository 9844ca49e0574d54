import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { v7 as uuidv7 } from 'uuid';
import type { Call, Run } from '#libs/contracts';
import { argumentsHash, tenantOfKey } from '#libs/runs';
import { beforeAll, describe, expect, it } from 'vitest';
import { OTHER_KEY, useDesk, type Answer } from './support/desk.js';

const SEND = { name: 'send', arguments: { recipient: 'Dana', text: 'It is ready.' } } as const;
const PAY = { name: 'pay', arguments: { invoice: 'A-17' } } as const;
const NO_HASH = '0'.repeat(64);

const desk = useDesk();

const cancel = (id: string, key?: string): Promise<Answer> =>
  desk.post(`/v1/runs/${id}/cancel`, undefined, key);

/** A run that waits for the approval of its one call. */
async function waiting(over: object = {}): Promise<{ run: Run; call: Call; route: string }> {
  const { id } = await desk.submit([[SEND]], over);
  const run = await desk.once(id, ({ calls }) => calls[0]?.state === 'awaiting_approval');
  const [call] = run.calls as [Call];
  return { run, call, route: `/v1/runs/${id}/calls/${call.id}/approval` };
}

/** A run that waits for somebody to find out what became of its one call. */
async function unknown(over: object = {}): Promise<{ run: Run; call: Call; route: string }> {
  desk.tools.script('/pay', { status: 500 });
  const { id } = await desk.submit([[PAY]], over);
  const run = await desk.once(id, ({ calls }) => calls[0]?.state === 'outcome_unknown');
  const [call] = run.calls as [Call];
  return { run, call, route: `/v1/runs/${id}/calls/${call.id}/outcome` };
}

describe('a run is cancelled', () => {
  it('while its call waits for approval: at once, for good, and however often', async () => {
    const { run, call, route } = await waiting();
    const { status, body } = await cancel(run.id);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      state: 'cancelled',
      error: { code: 'cancelled', message: 'Cancelled by configured.' },
      calls: [{ state: 'cancelled' }],
    });
    expect(await cancel(run.id)).toEqual({ status: 200, body });
    const late = { decision: 'approve', argumentsHash: call.argumentsHash };
    expect(await desk.post(route, late)).toMatchObject({
      status: 409,
      body: { code: 'not_possible', detail: expect.stringContaining('`cancelled`') as string },
    });
    expect(await desk.stack.events(run.id)).toMatchObject([
      { type: 'run.accepted' },
      { type: 'turn.claimed' },
      { type: 'turn.resolved' },
      { type: 'run.ended', data: { state: 'cancelled' } },
    ]);
    expect(desk.tools.effects).toEqual([]);
  });

  it('while its call is being made: what is in work comes to its end first', async () => {
    desk.tools.hold();
    const arrived = desk.tools.arrival(1);
    const { id } = await desk.submit([[PAY]]);
    await arrived;
    const { status, body } = await cancel(id);
    expect(status).toBe(200);
    expect(['cancelling', 'cancelled']).toContain(body.state);
    desk.tools.release();
    const ended = await desk.stack.ended(id);
    expect(ended).toMatchObject({ state: 'cancelled', error: { code: 'cancelled' } });
    expect(desk.tools.effects).toHaveLength(1);
  });

  it('by several people, and without a body, whatever its type is said to be', async () => {
    const { run } = await waiting();
    const headers = { 'content-type': 'application/json' };
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        desk.stack.request(`/v1/runs/${run.id}/cancel`, { method: 'POST', headers }),
      ),
    );
    for (const answer of answers) {
      expect([answer.status, await answer.json()]).toMatchObject([200, { state: 'cancelled' }]);
    }
  });

  it('while it is queued: no model is asked', async () => {
    await desk.stack.apps.worker.stop();
    const { id } = await desk.submit([[PAY]]);
    expect(await cancel(id)).toMatchObject({ status: 200, body: { state: 'cancelled' } });
    desk.stack.apps.worker = await desk.stack.startApp('worker');
    const other = await desk.submit([]);
    await desk.stack.ended(other.id);
    expect(await desk.stack.events(id)).toMatchObject([
      { type: 'run.accepted' },
      { type: 'run.ended', data: { state: 'cancelled' } },
    ]);
  });

  it('but not once it has ended otherwise: 409 says how', async () => {
    const { id } = await desk.submit([]);
    await desk.stack.ended(id);
    expect(await cancel(id)).toMatchObject({
      status: 409,
      body: {
        code: 'not_possible',
        detail: 'The run is over: it is `succeeded`, and nothing changes it any more.',
      },
    });
  });
});

describe('an approval', () => {
  it('lets the call go ahead, as it was looked at, and says who approved', async () => {
    const { run, call, route } = await waiting();
    expect(call.argumentsHash).toBe(argumentsHash(call));
    const decision = { decision: 'approve', argumentsHash: call.argumentsHash };
    const { status, body } = await desk.post(route, decision);
    expect(status).toBe(200);
    expect(body.calls[0].argumentsHash).toBeUndefined();
    expect(await desk.stack.ended(run.id)).toMatchObject({
      state: 'succeeded',
      calls: [{ id: call.id, state: 'succeeded', result: { done: true } }],
    });
    expect(desk.tools.effects).toMatchObject([{ key: call.id, body: SEND.arguments }]);
    const decided = (await desk.stack.events(run.id)).find(({ type }) => type === 'call.decided');
    expect(decided?.data).toMatchObject({ decision: 'approved', by: 'configured' });
    expect(await desk.post(route, decision)).toMatchObject({ status: 409 });
  });

  it('may change the arguments, within the schema of the tool', async () => {
    const { run, call, route } = await waiting();
    const approve = { decision: 'approve', argumentsHash: call.argumentsHash };
    const wrong = { recipient: 'Dana', txt: 'Ready.' };
    const refused = await desk.post(route, { ...approve, arguments: wrong });
    expect(refused).toMatchObject({ status: 422, body: { code: 'invalid_request' } });
    expect(refused.body.errors).toEqual([
      { pointer: '/arguments/text', detail: 'is missing', mend: 'give it' },
      {
        pointer: '/arguments/txt',
        detail: 'is no known parameter',
        mend: 'leave it out; there are: recipient, text',
      },
    ]);
    const edited = { recipient: 'Dana', text: 'Ready, at last.' };
    expect((await desk.post(route, { ...approve, arguments: edited })).status).toBe(200);
    expect(await desk.stack.ended(run.id)).toMatchObject({
      state: 'succeeded',
      calls: [{ arguments: edited }],
    });
    expect(desk.tools.effects).toMatchObject([{ body: edited }]);
  });

  it('of other arguments is refused, and changes nothing', async () => {
    const { run, route } = await waiting();
    for (const decision of ['approve', 'deny']) {
      expect(await desk.post(route, { decision, argumentsHash: NO_HASH })).toMatchObject({
        status: 409,
        body: {
          code: 'not_possible',
          errors: [
            {
              pointer: '/argumentsHash',
              mend: expect.stringContaining(run.id) as string,
            },
          ],
        },
      });
    }
    expect((await desk.get(`/v1/runs/${run.id}`)).body).toEqual(run);
    await cancel(run.id);
  });

  it('may be denied: the call is never made', async () => {
    const { run, call, route } = await waiting();
    await desk.post(route, { decision: 'deny', argumentsHash: call.argumentsHash });
    expect(await desk.stack.ended(run.id)).toMatchObject({
      state: 'failed',
      error: { code: 'approval_denied' },
      calls: [{ state: 'denied', error: { message: 'Denied by configured.' } }],
    });
    expect(desk.tools.effects).toEqual([]);
  });
});

describe('a call whose outcome is unknown', () => {
  it('succeeded, if somebody found that out, with what its tool had said', async () => {
    const { run, route } = await unknown();
    const { status } = await desk.post(route, { outcome: 'succeeded', result: { id: 'm-17' } });
    expect(status).toBe(200);
    expect(await desk.stack.ended(run.id)).toMatchObject({
      state: 'succeeded',
      calls: [{ state: 'succeeded', result: { id: 'm-17' } }],
    });
    expect(desk.tools.effects).toHaveLength(1);
    expect(await desk.post(route, { outcome: 'failed' })).toMatchObject({ status: 409 });
  });

  it('failed, if it took no effect, and is left so', async () => {
    const { run, route } = await unknown();
    await desk.post(route, { outcome: 'failed' });
    expect(await desk.stack.ended(run.id)).toMatchObject({
      state: 'failed',
      calls: [{ state: 'failed', error: { code: 'tool_failed' } }],
    });
    expect(desk.tools.effects).toHaveLength(1);
  });

  it('is made again under the same key, as its executor has told that it does not know', async () => {
    const { run, call, route } = await unknown();
    expect((await desk.post(route, { outcome: 'retry' })).status).toBe(200);
    expect(await desk.stack.ended(run.id)).toMatchObject({ state: 'succeeded' });
    expect(desk.tools.effects.map(({ key }) => key)).toEqual([call.id, call.id]);
  });

  it('is not made again in a run that was cancelled', async () => {
    const { run, route } = await unknown();
    await cancel(run.id);
    expect(await desk.post(route, { outcome: 'retry' })).toMatchObject({ status: 409 });
    expect(desk.tools.effects).toHaveLength(1);
  });
});

describe('another tenant', () => {
  it('finds nothing at any route', async () => {
    const { run, call } = await waiting();
    const at = `/v1/runs/${run.id}`;
    const approval = { decision: 'approve', argumentsHash: call.argumentsHash };
    const answers = await Promise.all([
      desk.get(at, OTHER_KEY),
      cancel(run.id, OTHER_KEY),
      desk.post(`${at}/calls/${call.id}/approval`, approval, OTHER_KEY),
      desk.post(`${at}/calls/${call.id}/outcome`, { outcome: 'failed' }, OTHER_KEY),
      desk.post('/v1/runs/replay', { filter: { ids: [run.id] } }, OTHER_KEY),
    ]);
    for (const { status, body } of answers) {
      expect([status, body.code]).toEqual([404, 'not_found']);
      expect(JSON.stringify(body)).not.toContain('Dana');
    }
    const none = await desk.get('/v1/runs?state=executing', OTHER_KEY);
    expect(none).toEqual({ status: 200, body: { runs: [] } });
    expect((await desk.get(at)).body).toEqual(run);
    await cancel(run.id);
  });
});

it('takes times of any zone', async () => {
  const { status } = await desk.get('/v1/runs?createdAfter=2026-01-01T00:00:00%2B20:00');
  expect(status).toBe(200);
});

it('docs/configuration.md adds a tenant with a key, and takes both away', async () => {
  const text = readFileSync('docs/configuration.md', 'utf8');
  const [, add = ''] = /<<'SQL'\n([^]*?)\nSQL/.exec(text) ?? [];
  const [, take = ''] = /```sql\n([^]*?)```/.exec(text) ?? [];
  const [revoke = '', remove = ''] = take.split('\n');
  const key = 'hl_key_of_the_tenant_called_acme';
  const hash = createHash('sha256').update(key).digest('hex');
  await desk.pool.query(add.replace(":'hash'", `'${hash}'`));
  const acme = { tenantId: 'acme', keyName: 'acme-1' };
  expect((await desk.get('/v1/runs', key)).status).toBe(200);
  for (const statement of [revoke, remove]) {
    expect(await tenantOfKey(desk.pool, key)).toEqual(acme);
    await desk.pool.query(statement);
    expect(await tenantOfKey(desk.pool, key)).toBeUndefined();
    await desk.pool.query('UPDATE api_keys SET revoked_at = NULL');
  }
});

describe('bad input', () => {
  let approval: string;
  let outcome: string;
  let run: Run;

  beforeAll(async () => {
    const made = await waiting();
    ({ run } = made);
    approval = made.route;
    outcome = made.route.replace('approval', 'outcome');
  });

  it.each<[string, unknown, string]>([
    ['no decision', { argumentsHash: NO_HASH }, '/decision'],
    ['another word', { decision: 'yes', argumentsHash: NO_HASH }, '/decision'],
    ['no hash', { decision: 'approve' }, '/argumentsHash'],
    ['a hash that is none', { decision: 'approve', argumentsHash: 'abc' }, '/argumentsHash'],
    [
      'arguments of a denial',
      { decision: 'deny', argumentsHash: NO_HASH, arguments: {} },
      '/arguments',
    ],
    [
      'arguments that are a list',
      { decision: 'approve', argumentsHash: NO_HASH, arguments: [] },
      '/arguments',
    ],
    ['an unknown field', { decision: 'deny', argumentsHash: NO_HASH, why: 'x' }, '/why'],
  ])('an approval with %s', async (_, body, pointer) => {
    expect(await desk.post(approval, body)).toEqual(fault(pointer));
  });

  it.each<[string, unknown, string]>([
    ['nothing', {}, '/outcome'],
    ['another word', { outcome: 'done' }, '/outcome'],
    ['a result of a failure', { outcome: 'failed', result: 1 }, '/result'],
    ['a result with NUL', { outcome: 'succeeded', result: ['a\0'] }, '/result'],
    ['half a character as a name', { outcome: 'succeeded', result: { '\ud800': 1 } }, '/result'],
    ['an unknown field', { outcome: 'failed', by: 'me' }, '/by'],
  ])('an outcome with %s', async (_, body, pointer) => {
    expect(await desk.post(outcome, body)).toEqual(fault(pointer));
  });

  it('a result that nests without end', async () => {
    const deep = `${'['.repeat(5_000)}${']'.repeat(5_000)}`;
    const response = await desk.stack.request(outcome, {
      method: 'POST',
      body: `{"outcome":"succeeded","result":${deep}}`,
    });
    expect({ status: response.status, body: await response.json() }).toEqual(fault('/result'));
  });

  it.each<[string, object, string]>([
    [
      'until an answer, of a run that makes no calls',
      { mode: 'resolve', until: 'answer' },
      '/until',
    ],
    ['no turns', { budget: { turns: 0 } }, '/budget/turns'],
    ['an unknown part of a budget', { budget: { money: 1 } }, '/budget/money'],
    ['too high a priority', { priority: 10 }, '/priority'],
    ['half a priority', { priority: 1.5 }, '/priority'],
    ['no time', { expiresInS: 0 }, '/expiresInS'],
  ])('a run with %s', async (_, over, pointer) => {
    expect(await desk.post('/v1/runs', { query: 'x', toolset: 'desk', ...over })).toEqual(
      fault(pointer),
    );
  });

  it.each([
    ['state=done', '/state/0'],
    ['state=failed,,expired', '/state/1'],
    ['callState=started,done', '/callState/1'],
    ['code=oops', '/code'],
    ['createdAfter=yesterday', '/createdAfter'],
    ['createdBefore=2026-11-22', '/createdBefore'],
    ['createdAfter=0000-01-01T00:00:00Z', '/createdAfter'],
    ['toolset=a%00', '/toolset'],
    ['sort=asc', '/sort'],
  ])('a list with %s', async (query, pointer) => {
    expect(await desk.get(`/v1/runs?${query}`)).toEqual(fault(pointer));
  });

  it.each([
    [{ toolset: 'a\0' }, '/filter/toolset'],
    [{ createdBefore: '0000-01-01T00:00:00Z' }, '/filter/createdBefore'],
  ])('a replay of %j', async (filter, pointer) => {
    expect(await desk.post('/v1/runs/replay', { filter })).toEqual(fault(pointer));
  });

  it('ids that are none, and decisions that do not fit the state', async () => {
    const hash = { argumentsHash: run.calls[0]?.argumentsHash };
    const [id, callId] = [uuidv7(), uuidv7()];
    const cases: [route: string, body: unknown, status: number][] = [
      [`/v1/runs/${id}/cancel`, undefined, 404],
      ['/v1/runs/nonsense/cancel', undefined, 404],
      [`/v1/runs/${run.id}/calls/${callId}/approval`, { decision: 'deny', ...hash }, 404],
      [`/v1/runs/${run.id}/calls/x/outcome`, { outcome: 'failed' }, 404],
      [outcome, { outcome: 'failed' }, 409],
      [`/v1/runs/${run.id}/cancel`, { why: 'x' }, 422],
      [approval, undefined, 400],
    ];
    for (const [route, body, status] of cases) {
      const answer = await desk.post(route, body);
      expect([route, answer.status]).toEqual([route, status]);
      expect(answer.body.detail.length).toBeGreaterThan(20);
    }
    // Reading decides nothing.
    expect((await desk.stack.request(approval)).status).toBe(404);
    expect((await desk.get(`/v1/runs/${run.id}`)).body).toEqual(run);
  });
});

/** A 422 that names this one field, and how to mend it. */
function fault(pointer: string): object {
  const errors = [
    {
      pointer,
      detail: expect.any(String) as string,
      mend: expect.stringMatching(/\w/) as string,
    },
  ];
  const body = { code: 'invalid_request', errors };
  return { status: 422, body: expect.objectContaining(body) as object };
}
