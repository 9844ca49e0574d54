import type { Admission, RunNotices, Runs } from '#libs/runs';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { expect, it } from 'vitest';
import { RunsController } from './runs.controller.js';

const tools = [{ name: 'f', description: 'd', parameters: { type: 'object', properties: {} } }];

/** What a client gets for a run; the ledger, once it has accepted it, answers to each look that it has no such run. */
async function accepted(headers: Record<string, string>, kind: 'accepted' | 'replayed') {
  let looks = 0;
  const query = (): Promise<object> => {
    looks += 1;
    return Promise.resolve({ rows: [] });
  };
  const accept = (): Promise<object> => Promise.resolve({ kind, runId: 'r1' });
  const answer = { status: 0, body: undefined as unknown };
  const reply = {
    header: () => reply,
    status: (status: number) => Object.assign(answer, { status }) && reply,
    send: (body: unknown) => Object.assign(answer, { body }) && reply,
  };
  const notices = {
    listen: () => Promise.resolve({ changed: () => Promise.resolve(), close: () => undefined }),
  };
  const controller = new RunsController(
    { engine: { accept }, pool: { query } } as unknown as Runs,
    notices as unknown as RunNotices,
    new Map(),
    new AbortController().signal,
    { check: () => undefined } as unknown as Admission,
  );
  const done = controller.create(
    { query: 'x', tools },
    headers,
    { tenantId: 'default' } as FastifyRequest,
    reply as unknown as FastifyReply,
  );
  const error = await done.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { looks, answer, error };
}

it('tells of a run that was just accepted without asking the ledger for it', async () => {
  expect(await accepted({}, 'accepted')).toMatchObject({
    looks: 0,
    answer: { status: 202, body: { state: 'queued', query: 'x', calls: [] } },
  });
});

it.each([
  ['is waited for', { prefer: 'wait=1' }, 'accepted'],
  ['was accepted before', { 'idempotency-key': 'abc' }, 'replayed'],
] as const)('asks the ledger for a run that %s', async (_, headers, kind) => {
  expect(await accepted(headers, kind)).toMatchObject({ looks: 1, error: { code: 'not_found' } });
});
