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
  createdAt: '2026-11-22T09:30:00.000Z',
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
      result: { value: 11617.916666666666, rows: 12 },
    },
  ],
  endedAt: '2026-11-22T09:30:01.250Z',
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
