import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { newRun } from './accept-run.js';

const tools = [{ name: 'f', description: 'd', parameters: { type: 'object', properties: {} } }];

it('knows a repeated body by what was sent, whatever our defaults are by then', () => {
  const body = { query: 'x', tools, budget: { turns: 2 } };
  const { budget, idempotency } = newRun(body, {
    tenantId: 'default',
    toolsets: new Map(),
    idempotencyKey: 'abc',
    traceparent: '',
  });
  expect(budget).toMatchObject({ turns: 2, calls: 32 });
  const bodyHash = createHash('sha256').update(JSON.stringify(body)).digest();
  expect(idempotency).toEqual({ key: 'abc', bodyHash });
});
