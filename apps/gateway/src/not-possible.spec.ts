import type { Run } from '#libs/contracts';
import type { RunInput } from '#libs/runs';
import { expect, it } from 'vitest';
import { WAITING_RUN } from './docs/examples.js';
import { SCHEMAS } from './docs/schemas.js';
import { notPossible } from './not-possible.js';

const run = { ...SCHEMAS.Run.parse(WAITING_RUN), state: 'cancelling' } as const;
const callId = run.calls[0]?.id ?? '';
const by = 'a key';

it.each(['started', 'outcome_unknown'] as const)(
  'of a call that is %s in a run that is over, it says what helps',
  (state) => {
    const over: Run = {
      ...run,
      state: 'cancelled',
      calls: run.calls.map((call) => ({ ...call, state })),
    };
    const input: RunInput = { type: 'call.decide', callId, by, decision: { state: 'failed' } };
    const helps = state === 'started' ? 'POST /v1/runs/replay' : `Idempotency-Key ${callId}`;
    expect(notPossible('ended', input, over).message).toContain(helps);
  },
);

it.each<[RunInput, string]>([
  [{ type: 'call.approve', callId, by, argumentsHash: '' }, ''],
  [{ type: 'call.deny', callId, by, argumentsHash: '' }, ''],
  [
    { type: 'call.decide', callId, by, decision: { state: 'retry' } },
    ' Say `succeeded` or `failed`.',
  ],
])('names what else can be said of a call only where it can: %j', (input, instead) => {
  expect(notPossible('ending', input, run).message).toBe(
    `The run is \`cancelling\`: no call is made any more.${instead}`,
  );
});
