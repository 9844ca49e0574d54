import { ERROR_CODES, type ErrorCode } from '#libs/contracts';
import { refTo, type JsonObject, type SchemaName } from './schemas.js';

export const RUN_ID = {
  name: 'id',
  in: 'path',
  required: true,
  schema: { type: 'string', format: 'uuid' },
};

/** What every route that needs a key may answer. */
export const NEEDS_KEY: readonly ErrorCode[] = ['unauthorized', 'internal', 'unavailable'];

export function read(
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

export function probe(
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
export function problems(codes: readonly ErrorCode[]): JsonObject {
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

export function json(schema: SchemaName, more: object | undefined = {}): JsonObject {
  return { 'application/json': { schema: refTo(schema), ...more } };
}

export function header(description: string): JsonObject {
  return { description, schema: { type: 'string' } };
}

export function requestHeader(name: string, schema: JsonObject, description: string): JsonObject {
  return { name, in: 'header', required: false, description, schema };
}
