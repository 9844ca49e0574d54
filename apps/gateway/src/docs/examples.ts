/** What the document and docs/api.md show. The requests work against the office toolset; a spec parses them all. */

const RUN_ID = '019a3f0e-6f6b-7c1a-9a53-2f1d6c0b7e11';
const CALL_ID = '019a3f0e-7a21-7d0e-8f4c-5b9d0a1c2e33';
const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';

export const REQUEST_EXAMPLES = {
  execute: {
    summary: 'Choose the calls and make them',
    value: { query: 'What is the mean revenue in the sales table?', toolset: 'office' },
  },
  message: {
    summary: 'A call with an effect',
    value: {
      query: 'Send Dana a message: "The quarterly report is ready for review."',
      toolset: 'office',
    },
  },
  irrelevant: {
    summary: 'No tool fits',
    value: { query: 'What is the capital of Australia?', toolset: 'office' },
  },
  answer: {
    summary: 'Until it is answered in words, within a budget and ten minutes',
    value: {
      query: 'Tell Dana the mean revenue in the sales table.',
      toolset: 'office',
      until: 'answer',
      budget: { turns: 4, calls: 8 },
      priority: 5,
      expiresInS: 600,
    },
  },
  resolve: {
    summary: 'Only choose, with inline tools',
    value: {
      messages: [{ role: 'user', content: 'Will I need an umbrella in Oslo?' }],
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather_forecast',
            description: 'Forecast the weather of a city.',
            parameters: {
              type: 'object',
              properties: { city: { type: 'string', description: 'Name of the city.' } },
              required: ['city'],
            },
          },
        },
      ],
    },
  },
} as const;

const ACCEPTED = {
  id: RUN_ID,
  mode: 'execute',
  toolset: 'office',
  query: REQUEST_EXAMPLES.execute.value.query,
  traceId: TRACE_ID,
  priority: 0,
  createdAt: '2026-11-22T09:30:00.000Z',
  deadline: '2026-11-23T09:30:00.000Z',
};

export const QUEUED_RUN = { ...ACCEPTED, state: 'queued', calls: [] };

export const SUCCEEDED_RUN = {
  ...ACCEPTED,
  state: 'succeeded',
  outcome: 'calls',
  model: 'smollm2-135m-hammer',
  confidence: 0.97,
  calls: [
    {
      id: CALL_ID,
      name: 'column_statistics',
      arguments: { column: 'revenue', statistic: 'mean' },
      effect: 'read',
      state: 'succeeded',
      attempt: 1,
      turn: 1,
      result: { value: 11617.916666666666, rows: 12 },
    },
  ],
  endedAt: '2026-11-22T09:30:01.250Z',
};

const TEXT = 'The quarterly report is ready for review.';
const HASH = 'f4f36d3c420c67ef16bf25c14b952404b3717ad7d3787e80aaf37c9b8aeddde2';

export const WAITING_RUN = {
  ...ACCEPTED,
  query: REQUEST_EXAMPLES.message.value.query,
  state: 'executing',
  outcome: 'calls',
  model: 'smollm2-135m-hammer',
  confidence: 0.91,
  calls: [
    {
      id: CALL_ID,
      name: 'send_message',
      arguments: { recipient: 'Dana', text: TEXT },
      effect: 'once',
      state: 'awaiting_approval',
      attempt: 0,
      turn: 1,
      argumentsHash: HASH,
    },
  ],
};

export const APPROVAL_EXAMPLES = {
  approve: { summary: 'As it is', value: { decision: 'approve', argumentsHash: HASH } },
  edit: {
    summary: 'With other arguments',
    value: {
      decision: 'approve',
      argumentsHash: HASH,
      arguments: { recipient: 'Dana', text: 'The report is ready.' },
    },
  },
  deny: { summary: 'Not at all', value: { decision: 'deny', argumentsHash: HASH } },
};

export const OUTCOME_EXAMPLES = {
  succeeded: {
    summary: 'It took effect',
    value: { outcome: 'succeeded', result: { id: 'm-17' } },
  },
  failed: { summary: 'It did not', value: { outcome: 'failed' } },
  retry: { summary: 'Make it again', value: { outcome: 'retry' } },
};

export const REPLAY_EXAMPLES = {
  count: {
    summary: 'Count the runs that a tool failed',
    value: {
      filter: { code: 'tool_failed', createdAfter: '2026-11-22T08:00:00Z' },
      dryRun: true,
    },
  },
  begin: {
    summary: 'Do them again, but not their `once` calls',
    value: {
      filter: { code: 'tool_failed', createdAfter: '2026-11-22T08:00:00Z' },
      once: 'keep',
    },
  },
  named: { summary: 'One run', value: { filter: { ids: [RUN_ID] }, once: 'retry', again: true } },
};

export const REPLAY_REPORT = {
  matched: 42,
  replayable: 1,
  needsChoice: 0,
  alreadyReplayed: 40,
  nothingToDo: 1,
  limit: 1_000,
  complete: true,
  runs: [{ id: '019a3f2b-0c11-7b52-8a0d-6f2e9c4d1a77', replayOf: RUN_ID }],
};

export const EVENT_STREAM = `id: 1
event: run.accepted
data: {"seq":1,"type":"run.accepted","at":"2026-11-22T09:30:00.000Z","data":{}}

id: 2
event: turn.claimed
data: {"seq":2,"type":"turn.claimed","at":"2026-11-22T09:30:00.004Z","data":{"turn":1,"attempt":1}}

`;

export const TRACE = {
  traceId: TRACE_ID,
  spans: [
    {
      spanId: '00f067aa0ba902b7',
      name: 'POST /v1/runs',
      kind: 'server',
      service: 'hammerline-gateway',
      start: 1795339800000.12,
      end: 1795339800004.87,
      attributes: { 'http.request.method': 'POST', 'http.route': '/v1/runs' },
      links: [],
    },
  ],
};
