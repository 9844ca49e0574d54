import { validateHeaderName, validateHeaderValue } from 'node:http';
import { HammerlineError, type JsonSchema } from '#libs/contracts';

export const HTTP_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** What an answer says of a call: it is done; it took no effect; nobody knows. */
export const STATUS_MEANINGS = ['succeeded', 'failed', 'outcome_unknown'] as const;
export type StatusMeaning = (typeof STATUS_MEANINGS)[number];

/**
 * How a tool is called over HTTP. `${VAR}` in url and headers stands for a variable of the executor's environment: it is
 * filled in when a call starts and nowhere else, so that no secret gets into a toolset, the ledger or a trace. `{name}`
 * in the path of the url stands for an argument.
 */
export interface HttpSpec {
  kind: 'http';
  method: (typeof HTTP_METHODS)[number];
  url: string;
  headers?: Record<string, string> | undefined;
  /** What an answer of a status says of a call, where that is not what such a status usually says. */
  statuses?: Record<string, StatusMeaning> | undefined;
}

/** How a tool is asked what became of a call: by a GET. */
export type ProbeSpec = Pick<HttpSpec, 'url' | 'headers'>;

export type Environment = Readonly<Record<string, string | undefined>>;

export interface HttpRequest {
  method: string;
  url: URL;
  headers: Record<string, string>;
  body: string | undefined;
  /** What stood in for variables in headers, by variable: to be kept out of results. */
  secrets: ReadonlyMap<string, string>;
}

/** `${VAR}` (first group) or `{parameter}` (second group). */
const placeholders = /\$\{([^}]*)\}|\{([^{}]*)\}/g;
const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Scheme, host and port: written out, or the beginning of a variable's value. */
const origin = /^(?:https?:\/\/[^/?#]+|\$\{[^}]*\})(?=[/?]|$)/i;
/** Headers that the call itself sets, or that would change where its body ends. */
const ownHeaders = new Set([
  'host',
  'connection',
  'content-length',
  'content-type',
  'transfer-encoding',
  'expect',
  'upgrade',
  'te',
  'trailer',
  'accept-encoding',
  'idempotency-key',
  'traceparent',
]);

/** What is wrong with a url of a toolset file, and how to mend it; undefined if nothing is. */
export function urlProblem(url: string, parameters: JsonSchema): string | undefined {
  const found = [...url.matchAll(placeholders)];
  const badVariable = found.find(([, name]) => name !== undefined && !variableName.test(name));
  if (badVariable !== undefined) return `${badVariable[0]} names no environment variable`;

  if (url.includes('#')) return 'must not have a fragment (#)';
  const start = origin.exec(url)?.[0];
  if (start === undefined) return 'must begin with http://HOST, https://HOST or ${VARIABLE}';
  const [path = '', query = ''] = url.slice(start.length).split(/\?(.*)/s);
  if (start.includes('@')) return 'must not hold credentials; put them in a header as ${VARIABLE}';
  if (/(?<!\$)\{/.test(start + query)) return 'may name parameters ({name}) in its path only';
  if (!URL.canParse(start.startsWith('$') ? 'http://host' : start.replace(placeholders, '1'))) {
    return 'is no valid url';
  }

  const required = Array.isArray(parameters.required) ? parameters.required : [];
  const unknown = pathParameters(path).find((name) => !required.includes(name));
  return unknown === undefined
    ? undefined
    : `names {${unknown}}, which is no required parameter of the tool; require it, or leave it out`;
}

/** The arguments that a url's path names. */
export function pathParameters(url: string): string[] {
  return [...url.matchAll(placeholders)].flatMap(([, , name]) => name ?? []);
}

/** What is wrong with a header of a toolset file; undefined if nothing is. */
export function headerProblem(name: string, value: string): string | undefined {
  if (ownHeaders.has(name.toLowerCase())) return 'is set by the call itself; leave it out';
  const bad = [...value.matchAll(/\$\{([^}]*)\}/g)].find(
    ([, key]) => !variableName.test(key ?? ''),
  );
  if (bad !== undefined) return `${bad[0]} names no environment variable`;
  return canSendHeader(name, value) ? undefined : 'is no valid header';
}

function canSendHeader(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

/**
 * The request of one call. GET puts the arguments into the query (lists and objects as JSON), other methods send a JSON
 * body; arguments that fill the path are in neither.
 *
 * @throws HammerlineError `tool_failed` naming what is missing, never a variable's value. Nothing was sent then, and
 * another try would fare no better
 */
export function buildHttpRequest(
  spec: HttpSpec,
  call: { id: string; arguments: Record<string, unknown> },
  env: Environment,
  traceparent?: string,
): HttpRequest {
  const rest = new Map(Object.entries(call.arguments));
  const filled = spec.url.replace(
    placeholders,
    (_, variable: string | undefined, parameter: string | undefined, at: number) => {
      if (variable !== undefined) return readVariable(variable, env, at === 0);
      rest.delete(parameter ?? '');
      return pathPart(parameter ?? '', call.arguments);
    },
  );
  const url = parseUrl(filled);

  const secrets = new Map<string, string>();
  const headers: Record<string, string> = { accept: 'application/json, text/*;q=0.9, */*;q=0.5' };
  for (const [name, template] of Object.entries(spec.headers ?? {})) {
    const value = template.replace(placeholders, (text, variable: string | undefined) => {
      if (variable === undefined) return text;
      secrets.set(variable, readVariable(variable, env, false));
      return secrets.get(variable) ?? '';
    });
    if (!canSendHeader(name, value)) {
      throw notSent(`the value of the header ${name} cannot be sent`);
    }
    headers[name.toLowerCase()] = value;
  }
  headers['accept-encoding'] = 'identity';
  headers['idempotency-key'] = call.id;
  if (traceparent !== undefined) headers.traceparent = traceparent;

  if (spec.method === 'GET') {
    for (const [name, value] of rest) url.searchParams.append(name, asText(value));
    return { method: spec.method, url, headers, body: undefined, secrets };
  }
  const body = JSON.stringify(Object.fromEntries(rest));
  headers['content-type'] = 'application/json';
  headers['content-length'] = String(Buffer.byteLength(body));
  return { method: spec.method, url, headers, body, secrets };
}

function notSent(reason: string): HammerlineError {
  return new HammerlineError('tool_failed', `not sent: ${reason}`);
}

function readVariable(name: string, env: Environment, isOrigin: boolean): string {
  const value = env[name];
  if (value === undefined || value === '') {
    throw notSent(`the environment variable ${name} is not set; set it for the executor`);
  }
  // An address is often written with its last slash, and a path follows.
  return isOrigin ? value.replace(/\/+$/, '') : value;
}

function pathPart(name: string, args: Record<string, unknown>): string {
  const text = Object.hasOwn(args, name) ? asText(args[name]) : '';
  // These would change which resource the path names, however they are encoded.
  if (text === '' || text === '.' || text === '..') {
    throw notSent(`the argument ${name} is part of the url's path and must not be "${text}"`);
  }
  return encodeURIComponent(text.toWellFormed());
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text)) throw notSent('the url is not valid after its variables were filled in');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw notSent(`the url must be http or https, not ${url.protocol}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw notSent('the url holds credentials; put them in a header');
  }
  return url;
}
