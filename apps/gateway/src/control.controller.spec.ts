import type { RunState } from '#libs/contracts';
import type { Admission, Runs } from '#libs/runs';
import type { FastifyRequest } from 'fastify';
import { expect, it } from 'vitest';
import { ControlController } from './control.controller.js';

const ID = '019a3f0e-6f6b-7c1a-9a53-2f1d6c0b7e11';

/** Cancels a run that was `inferring` when it was looked at, and that somebody else has ended by the time of the cancel. */
function cancelAfter(state: RunState) {
  const states: RunState[] = ['inferring', state];
  const query = () => {
    const row = { id: ID, state: states.shift(), traceparent: '', calls: [] };
    return Promise.resolve({
      rows: [{ ...row, created_at: new Date(0), deadline_at: new Date(0) }],
    });
  };
  const apply = () => Promise.resolve({ refused: 'ended' });
  const controller = new ControlController(
    { engine: { apply }, pool: { query } } as unknown as Runs,
    {} as Admission,
  );
  const request = { tenantId: 'default', keyName: 'a key' } as FastifyRequest;
  return controller.cancel(ID, undefined, request);
}

it('takes a run that another cancel has just ended for done', async () => {
  expect(await cancelAfter('cancelled')).toMatchObject({ id: ID, state: 'cancelled' });
});

it('refuses to cancel a run that has just ended otherwise', async () => {
  await expect(cancelAfter('succeeded')).rejects.toMatchObject({ code: 'not_possible' });
});
