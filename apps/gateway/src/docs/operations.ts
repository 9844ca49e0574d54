import { CALL_STATES, ERROR_CODES, RUN_STATES } from '#libs/contracts';
import { controlPaths } from './control-operations.js';
import { EVENT_STREAM, QUEUED_RUN, REQUEST_EXAMPLES, SUCCEEDED_RUN, TRACE } from './examples.js';
import {
  header,
  json,
  NEEDS_KEY,
  probe,
  problems,
  read,
  requestHeader,
  RUN_ID,
} from './operation-parts.js';
import { refTo, type JsonObject } from './schemas.js';

/** All that the gateway's API answers, by path and method. */
export function paths(): Record<string, JsonObject> {
  return {
    '/v1/runs': { post: acceptRun(), get: listRuns() },
    '/v1/runs/{id}': {
      parameters: [RUN_ID],
      get: read('getRun', 'Runs', 'One run', 'Run', ['not_found'], SUCCEEDED_RUN),
    },
    '/v1/runs/{id}/events': { parameters: [RUN_ID], get: streamEvents() },
    '/v1/runs/{id}/trace': {
      parameters: [RUN_ID],
      get: {
        ...read('getTrace', 'Runs', 'The spans of a run', 'Trace', ['not_found'], TRACE),
        description:
          'One trace covers the request, both queues, the model and the tools. A span appears within a second of its end.',
      },
    },
    ...controlPaths(),
    '/v1/toolsets': { get: read('listToolsets', 'Toolsets', 'The toolsets', 'ToolsetList') },
    '/v1/toolsets/{name}': {
      parameters: [{ name: 'name', in: 'path', required: true, schema: { type: 'string' } }],
      get: read('getToolset', 'Toolsets', 'One toolset', 'Toolset', ['not_found']),
    },
    '/livez': { get: probe('livez', 'The process lives', { 200: 'Liveness' }) },
    '/readyz': {
      get: probe('readyz', 'The ledger and Redis can be reached', {
        200: 'Readiness',
        503: 'Readiness',
      }),
    },
  };
}

function acceptRun(): JsonObject {
  const headers = {
    Location: header('Where the run can be read: `/v1/runs/{id}`.'),
    'Idempotency-Replayed': header('`true`: this is the run that the first request made.'),
    'Preference-Applied': header('The `wait` that was kept.'),
  };
  const run = (description: string, example: object): JsonObject => ({
    description,
    headers,
    content: json('Run', { example }),
  });
  return {
    operationId: 'createRun',
    tags: ['Runs'],
    summary: 'Ask for a run',
    description:
      'A 202 means that the run is committed: it survives the loss of any process. Follow it at `Location`, or wait for it with `Prefer: wait`.',
    parameters: [
      requestHeader(
        'Idempotency-Key',
        { type: 'string', minLength: 1, maxLength: 255 },
        'With it a request may be repeated: the same body gives the same run, another body a 422.',
      ),
      requestHeader(
        'Prefer',
        { type: 'string', examples: ['wait=20'] },
        '`wait=SECONDS` answers when the run has ended, or after that time (at most 60) as it then is.',
      ),
      requestHeader(
        'traceparent',
        { type: 'string' },
        'W3C trace context: the run joins this trace.',
      ),
    ],
    requestBody: {
      required: true,
      content: json('RunRequest', { examples: REQUEST_EXAMPLES }),
    },
    responses: {
      200: run('The run, ended: it was waited for, or it is a replay.', SUCCEEDED_RUN),
      202: run('The run, accepted or under way.', QUEUED_RUN),
      ...problems([
        'malformed_body',
        'invalid_request',
        'unknown_toolset',
        'no_executor',
        'idempotency_conflict',
        'body_too_large',
        'unsupported_media_type',
        ...NEEDS_KEY,
      ]),
    },
  };
}

function listRuns(): JsonObject {
  const query = (name: string, schema: JsonObject, description?: string): JsonObject => ({
    name,
    in: 'query',
    schema,
    ...(description && { description }),
  });
  const time = { type: 'string', format: 'date-time' };
  const byCommas = (name: string, items: readonly string[], description: string): JsonObject => ({
    ...query(name, { type: 'array', items: { enum: items } }, description),
    style: 'form',
    explode: false,
  });
  return {
    ...read('listRuns', 'Runs', 'The runs, newest first', 'RunPage', ['invalid_request']),
    description:
      'All that is given must hold. Of a tenant’s runs a page with a filter looks at 5,000 at most, so that none takes long: it may hold fewer than `limit` of them, even none, and still have a `next`. Times narrow what is looked at. Runs that did not do what they were asked for: `state=failed,expired`; those that wait for a person: `callState=awaiting_approval,outcome_unknown`.',
    parameters: [
      query('limit', { type: 'integer', minimum: 1, maximum: 100, default: 20 }),
      query('cursor', { type: 'string', format: 'uuid' }, '`next` of the page before.'),
      byCommas('state', RUN_STATES, 'One or more, by commas.'),
      byCommas('callState', CALL_STATES, 'It has a call in one of these states; by commas.'),
      query(
        'code',
        { enum: Object.keys(ERROR_CODES) },
        'Code of the error that the run ended with.',
      ),
      query('toolset', { type: 'string' }, 'Its name, or `inline`.'),
      query('createdAfter', time, 'Accepted at this time or later.'),
      query('createdBefore', time, 'Accepted before this time.'),
    ],
  };
}

function streamEvents(): JsonObject {
  return {
    operationId: 'streamEvents',
    tags: ['Runs'],
    summary: 'The events of a run, as they happen',
    description:
      'Server-Sent Events: `id` is the number of the event, `event` its type, `data` a RunEvent. The stream ends after `run.ended`. Numbers have no gaps; take a broken stream up again with `Last-Event-ID`.',
    parameters: [
      requestHeader(
        'Last-Event-ID',
        { type: 'string', pattern: '^\\d{1,9}$' },
        'Number of the last event that you have: the stream begins after it.',
      ),
    ],
    responses: {
      200: {
        description: 'The events after `Last-Event-ID`, then each new one.',
        content: {
          'text/event-stream': {
            schema: { type: 'string' },
            // OpenAPI 3.1 has no word for the type of a stream's items; 3.2 calls it `itemSchema`.
            'x-event-data': refTo('RunEvent'),
            example: EVENT_STREAM,
          },
        },
      },
      204: { description: 'The run has ended and you have all its events: stop asking.' },
      ...problems(['not_found', 'invalid_request', ...NEEDS_KEY]),
    },
  };
}
