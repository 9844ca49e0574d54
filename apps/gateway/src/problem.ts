import {
  ERROR_CODES,
  HammerlineError,
  invalidRequest,
  type ErrorCode,
  type Fault,
} from '#libs/contracts';
import { isLedgerAway } from '#libs/runs';
import type { Logger } from '#libs/telemetry';
import { HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';

/** Reads a request's body. @throws HammerlineError `malformed_body`, or `invalid_request` that names every faulty field */
export function readBody<T extends z.ZodObject>(schema: T, body: unknown): z.infer<T> {
  if (typeof body !== 'object' || body === null) {
    throw new HammerlineError('malformed_body', 'There is no JSON object in the body. Send one.');
  }
  return readFields(schema, body);
}

/** Reads fields of a request: each that is faulty is named as a JSON Pointer. @throws HammerlineError `invalid_request` */
export function readFields<T extends z.ZodObject>(schema: T, fields: unknown): z.infer<T> {
  const parsed = schema.safeParse(fields);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.flatMap((issue): Fault[] => {
    const at = (path: readonly PropertyKey[]): string =>
      path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
    if (issue.code === 'unrecognized_keys') {
      const known = fieldsAt(schema, issue.path).join(', ');
      return issue.keys.map((key) => ({
        pointer: at([...issue.path, key]),
        detail: 'is not a known field',
        mend: `Remove it.${known && ` Known are: ${known}.`}`,
      }));
    }
    return [{ pointer: at(issue.path), detail: issue.message, mend: mendOf(issue) }];
  });
  const [first = { pointer: '', detail: 'is not valid' }, ...rest] = faults;
  throw invalidRequest(first, ...rest);
}

function fieldsAt(schema: z.ZodObject, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema;
  for (const part of path) {
    at = at instanceof z.ZodObject ? at.shape[String(part)] : undefined;
    if (at instanceof z.ZodOptional) at = at.unwrap();
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function mendOf(issue: z.core.$ZodIssue): string {
  const mend = MENDS[issue.message];
  if (mend !== undefined) return mend;
  if (issue.code === 'invalid_type') return `Give a value of type ${issue.expected}.`;
  if (issue.code === 'invalid_value') return `Use one of: ${issue.values.map(String).join(', ')}.`;
  if (issue.code === 'too_small') return `The least is ${issue.minimum}.`;
  if (issue.code === 'too_big') return `The most is ${issue.maximum}.`;
  if (issue.code === 'invalid_format' && issue.format === 'datetime') {
    return 'Give a time with its zone, such as 2026-11-22T09:30:00Z.';
  }
  return 'GET /openapi.json says what it may be.';
}

/** For the rules that have no word in JSON Schema, by their message. */
const MENDS: Record<string, string> = {
  'holds NUL or half a character': 'Remove what is no valid Unicode text, and U+0000.',
  'is blank': 'Say what is to be done.',
  'asks for nothing': 'Give at least one message of the role `user` with some text.',
  'give exactly one of `query` and `messages`': 'Give one of the two and leave the other out.',
  'give exactly one of `toolset` and `tools`': 'Give one of the two and leave the other out.',
  'can be `answer` in mode `execute` only: without results there is nothing to answer from':
    'Use mode `execute` with a toolset, or leave `until` out.',
  'is not the `argumentsHash` of a call': 'GET the run: each call that awaits approval has one.',
  'belongs to `approve`': 'Leave it out, or decide to `approve`.',
  'belongs to `succeeded`': 'Leave it out, or say `succeeded`.',
  'belongs to `ids`': 'Name the runs in `filter.ids`, or leave it out.',
  'cannot be stored':
    'Remove U+0000 and what is no valid Unicode text, and nest at most 64 levels.',
  'is outside the years 1 to 9999': 'Give a time such as 2026-11-22T09:30:00Z.',
  'chooses nothing': 'Give `ids`, `state`, `code`, `toolset`, `createdAfter` or `createdBefore`.',
};

/** An RFC 9457 problem. `errors` lists every faulty field; `type` is stable for each code. */
export function problemOf(error: HammerlineError): { status: number; body: object } {
  const { title, ...entry } = ERROR_CODES[error.code];
  const status = 'status' in entry ? entry.status : 500;
  return {
    status,
    body: {
      type: `urn:hammerline:error:${error.code}`,
      title,
      status,
      detail: error.message,
      code: error.code,
      ...(error.faults.length > 0 && { errors: error.faults }),
    },
  };
}

/** Anything that a request can end in, as one of our errors. What is not the client's doing comes out as `internal`. */
export function toHammerlineError(error: unknown, bodyLimit: number): HammerlineError {
  if (error instanceof HammerlineError) return error;
  if (isLedgerAway(error)) {
    return new HammerlineError(
      'unavailable',
      'The ledger is away. Try again: a POST with the same Idempotency-Key, or after a look at GET /v1/runs.',
    );
  }
  const status = error instanceof HttpException ? error.getStatus() : statusOf(error);
  const message = error instanceof Error ? error.message : String(error);
  const known: Partial<Record<number, [ErrorCode, string]>> = {
    400: ['malformed_body', `${message}. Send one JSON object.`],
    401: ['unauthorized', message],
    404: ['not_found', message],
    414: ['not_found', 'The path is longer than any that leads somewhere.'],
    405: ['method_not_allowed', message],
    413: [
      'body_too_large',
      `The limit is ${bodyLimit} bytes. Send less, or raise BODY_LIMIT_BYTES.`,
    ],
    415: ['unsupported_media_type', 'Send the body with `Content-Type: application/json`.'],
  };
  const [code, detail] = known[status] ?? ['internal', 'Something broke; it was logged.'];
  return new HammerlineError(code, detail, { cause: error });
}

/** Answers every failed request with a problem. */
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly log: Logger,
    private readonly bodyLimit: number,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const error = toHammerlineError(thrown, this.bodyLimit);
    if (error.code === 'internal') this.log.error({ err: thrown }, 'a request failed');
    sendProblem(host.switchToHttp().getResponse<FastifyReply>(), error);
  }
}

export function sendProblem(reply: FastifyReply, error: HammerlineError): void {
  const { status, body } = problemOf(error);
  if (status === 401) void reply.header('www-authenticate', 'Bearer');
  if (status === 503) void reply.header('retry-after', '1');
  void reply.status(status).header('content-type', 'application/problem+json').send(body);
}

function statusOf(error: unknown): number {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : 500;
}
