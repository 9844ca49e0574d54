import { existsSync, readFileSync } from 'node:fs';
import { type Command } from 'commander';
import { ERROR_CODES, type ErrorCode, type Fault, HammerlineError } from '#libs/contracts';

const LOCAL_URL = 'http://127.0.0.1:3000';
/** Where `npm start` keeps the key of its gateway. */
const LOCAL_KEY = '.hammerline/api-key';
const ANSWER_WITHIN_MS = 60_000;

/** What a gateway answered, or that it did not. */
export class ApiError extends HammerlineError {}

export interface Connection {
  url?: string;
  key?: string;
}

/** A gateway, as its clients reach it. What it refuses is thrown as an ApiError with the code that it sent. */
export interface ApiClient {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: object): Promise<T>;
}

export function withConnection(command: Command): Command {
  return command
    .option('--url <url>', `the gateway; default: HAMMERLINE_URL, else ${LOCAL_URL}`)
    .option(
      '--key <key>',
      'the API key; default: HAMMERLINE_API_KEY, else that of `npm start` here',
    );
}

/** @throws HammerlineError `config_invalid` without a usable address or a key */
export function openApi(connection: Connection, env: NodeJS.ProcessEnv): ApiClient {
  const url = connection.url ?? (env['HAMMERLINE_URL'] || undefined);
  const base = URL.parse(url ?? LOCAL_URL);
  if (!base || !/^https?:$/.test(base.protocol)) {
    throw new HammerlineError(
      'config_invalid',
      `${url} is no http:// or https:// address: mend --url or HAMMERLINE_URL`,
    );
  }
  const key = connection.key ?? (env['HAMMERLINE_API_KEY'] || localKey(url));
  if (key === undefined) {
    throw new HammerlineError(
      'config_invalid',
      'there is no API key: set HAMMERLINE_API_KEY, or give --key',
    );
  }
  const send = async <T>(path: string, init: RequestInit): Promise<T> => {
    const target = new URL(path.slice(1), base.href.endsWith('/') ? base : `${base.href}/`);
    const { status, text } = await exchange(target, {
      ...init,
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${key}`,
        ...(init.body != null && { 'content-type': 'application/json' }),
      },
    });
    const answer = readAnswer(text, base, status);
    if (status >= 400) throw refusalOf(answer, status);
    return answer as T;
  };
  return {
    get: (path) => send(path, {}),
    post: (path, body) =>
      send(path, { method: 'POST', ...(body && { body: JSON.stringify(body) }) }),
  };
}

/** The key of a gateway elsewhere is never guessed: this one's would be told to a stranger. */
function localKey(url: string | undefined): string | undefined {
  if (url !== undefined || !existsSync(LOCAL_KEY)) return undefined;
  try {
    return readFileSync(LOCAL_KEY, 'utf8').trim();
  } catch (cause) {
    throw new HammerlineError(
      'config_invalid',
      `the API key in ${LOCAL_KEY} cannot be read (${(cause as Error).message}): mend that file, set HAMMERLINE_API_KEY, or give --key`,
      { cause },
    );
  }
}

async function exchange(url: URL, init: RequestInit): Promise<{ status: number; text: string }> {
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const response = await fetch(url, { ...init, signal, redirect: 'error' });
    return { status: response.status, text: await response.text() };
  } catch (cause) {
    const { message } = (
      cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
    ) as Error;
    throw new ApiError(
      'unavailable',
      `${url.origin} cannot be reached: ${message || 'nobody answers'}. Does Hammerline run there? Set HAMMERLINE_URL or --url.`,
      { cause },
    );
  }
}

function readAnswer(text: string, base: URL, status: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(
      'unavailable',
      `${base.href} answers ${status} with something that is no JSON: is that a Hammerline gateway?`,
    );
  }
}

function refusalOf(answer: unknown, status: number): ApiError {
  const { code, detail, errors } = Object(answer) as {
    code?: string;
    detail?: string;
    errors?: Fault[];
  };
  const known = code !== undefined && Object.hasOwn(ERROR_CODES, code);
  return new ApiError(
    known ? (code as ErrorCode) : 'internal',
    detail ?? `the gateway answers ${status}`,
    { faults: errors ?? [] },
  );
}
