import type { ErrorCode } from '#libs/contracts';
import {
  APPROVAL_EXAMPLES,
  OUTCOME_EXAMPLES,
  REPLAY_EXAMPLES,
  REPLAY_REPORT,
  WAITING_RUN,
} from './examples.js';
import { json, NEEDS_KEY, problems, RUN_ID } from './operation-parts.js';
import type { JsonObject, SchemaName } from './schemas.js';

const CALL_ID = { ...RUN_ID, name: 'callId' };

const BODY_CODES: readonly ErrorCode[] = [
  'malformed_body',
  'invalid_request',
  'body_too_large',
  'unsupported_media_type',
];

/** What people decide about runs, by path and method. */
export function controlPaths(): Record<string, JsonObject> {
  return {
    '/v1/runs/{id}/cancel': {
      parameters: [RUN_ID],
      post: decision({
        operationId: 'cancelRun',
        summary: 'End a run',
        description:
          'Nothing new is started from here on, and what is in work is told to stop. A run that has to wait for calls which were started is `cancelling` until these have ended. To cancel a cancelled run changes nothing, nor does it where the run is `expiring`; a run that has ended otherwise is a 409.',
        requestBody: {
          required: false,
          content: { 'application/json': { schema: { type: 'object', maxProperties: 0 } } },
        },
        responses: { 200: { description: 'The run as it is now.', content: json('Run') } },
        codes: [...BODY_CODES, 'not_found', 'not_possible'],
      }),
    },
    '/v1/runs/{id}/calls/{callId}/approval': {
      parameters: [RUN_ID, CALL_ID],
      post: decision({
        operationId: 'decideApproval',
        summary: 'Approve or deny a call',
        description:
          'For a call that is `awaiting_approval`. The decision names the hash of the arguments that were looked at; if the call has others it is a 409. With `arguments` the call is made with those instead, if they fit the tool’s schema. What was decided already is a 409 that says what the call is now.',
        requestBody: body('ApprovalRequest', APPROVAL_EXAMPLES),
        responses: {
          200: {
            description: 'The run as it is now.',
            content: json('Run', { example: WAITING_RUN }),
          },
        },
        codes: [...BODY_CODES, 'not_found', 'not_possible'],
      }),
    },
    '/v1/runs/{id}/calls/{callId}/outcome': {
      parameters: [RUN_ID, CALL_ID],
      post: decision({
        operationId: 'decideOutcome',
        summary: 'Say what became of a call',
        description:
          'For a call that is `outcome_unknown`: it may have taken effect, and is never repeated unasked. Look at the tool for its Idempotency-Key, the id of the call. A `retry` is a 409 while a process that has not told may still be at the call: for some seconds after it died.',
        requestBody: body('OutcomeRequest', OUTCOME_EXAMPLES),
        responses: { 200: { description: 'The run as it is now.', content: json('Run') } },
        codes: [...BODY_CODES, 'not_found', 'not_possible'],
      }),
    },
    '/v1/runs/replay': {
      post: decision({
        operationId: 'replayRuns',
        summary: 'Do ended runs again',
        description:
          'Each as a new run with the same request, toolset and budget that keeps what the first one came to: calls that succeeded are not made again. Where the last turn has calls to make, the new run begins with them, else with a question to the model. Of calls that failed or never came about, `read` and `idempotent` ones are made again; `once` ones only with `once: retry`, under a new Idempotency-Key. A run is replayed once, unless it is named in `ids` and asked for `again`: the same request sent twice begins nothing twice. Ask with `dryRun` first.',
        requestBody: body('ReplayRequest', REPLAY_EXAMPLES),
        responses: {
          200: {
            description: 'What it would do; or there was nothing to begin.',
            content: json('ReplayReport'),
          },
          202: {
            description: 'The new runs are committed. For more than `limit`, send it again.',
            content: json('ReplayReport', { example: REPLAY_REPORT }),
          },
        },
        codes: [...BODY_CODES, 'not_found', 'not_possible'],
      }),
    },
  };
}

function decision(options: {
  operationId: string;
  summary: string;
  description: string;
  requestBody?: JsonObject;
  responses: JsonObject;
  codes: readonly ErrorCode[];
}): JsonObject {
  const { codes, responses, ...operation } = options;
  return {
    ...operation,
    tags: ['Control'],
    responses: { ...responses, ...problems([...codes, ...NEEDS_KEY]) },
  };
}

function body(schema: SchemaName, examples: object): JsonObject {
  return { required: true, content: json(schema, { examples }) };
}
