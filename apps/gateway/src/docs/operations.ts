import { ERROR_CODES, type ErrorCode } from '#libs/contracts';
import { EVENT_STREAM, QUEUED_RUN, REQUEST_EXAMPLES, SUCCEEDED_RUN, TRACE } from './examples.js';
import { refTo, type JsonObject, type SchemaName } from './schemas.js';

const RUN_ID = {
  name: 'id',
  in: 'path',
  required: true,
  schema: { type: 'string', format: 'uuid' },
};

const NEEDS_KEY: readonly ErrorCode[] = ['unauthorized', 'internal', 'unavailable'];

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
  return {
    ...read('listRuns', 'Runs', 'The runs, newest first', 'RunPage', ['invalid_request']),
    parameters: [
      {
        name: 'limit',
        in: 'query',
        schema: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
      },
      {
        name: 'cursor',
        in: 'query',
        description: '`next` of the page before.',
        schema: { type: 'string', format: 'uuid' },
      },
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

function read(
  operationId: string,
  tag: string,
  summary: string,
  schema: SchemaName,
  codes: readonly ErrorCode[] = [],
  example?: object,
): JsonObject {
  return {
    operationId,
    tags: [tag],
    summary,
    responses: {
      200: { description: summary, content: json(schema, example && { example }) },
      ...problems([...codes, ...NEEDS_KEY]),
    },
  };
}

function probe(
  operationId: string,
  summary: string,
  answers: Record<number, SchemaName>,
): JsonObject {
  const responses = Object.entries(answers).map(([status, schema]) => [
    status,
    { description: status === '200' ? 'Yes' : 'Not now', content: json(schema) },
  ]);
  return {
    operationId,
    tags: ['Health'],
    summary,
    security: [],
    responses: Object.fromEntries(responses),
  };
}

/** The problems that these codes make, one response per status. */
function problems(codes: readonly ErrorCode[]): JsonObject {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const entry = ERROR_CODES[code];
    if (!('status' in entry)) throw new Error(`${code} is never an HTTP answer`);
    byStatus.set(entry.status, [...(byStatus.get(entry.status) ?? []), code]);
  }
  return Object.fromEntries([...byStatus].map(([status, of]) => [status, problem(status, of)]));
}

function problem(status: number, codes: readonly ErrorCode[]): JsonObject {
  const examples = codes.map((code) => {
    const { title } = ERROR_CODES[code];
    const type = `urn:hammerline:error:${code}`;
    return [code, { value: { type, title, status, detail: title, code } }];
  });
  return {
    description: codes.map((code) => `\`${code}\`: ${ERROR_CODES[code].title}.`).join(' '),
    ...(status === 401 && { headers: { 'WWW-Authenticate': header('`Bearer`') } }),
    ...(status === 503 && { headers: { 'Retry-After': header('Seconds to wait.') } }),
    content: {
      'application/problem+json': {
        schema: refTo('Problem'),
        examples: Object.fromEntries(examples),
      },
    },
  };
}

function json(schema: SchemaName, more: object | undefined = {}): JsonObject {
  return { 'application/json': { schema: refTo(schema), ...more } };
}

function header(description: string): JsonObject {
  return { description, schema: { type: 'string' } };
}

function requestHeader(name: string, schema: JsonObject, description: string): JsonObject {
  return { name, in: 'header', required: false, description, schema };
}
