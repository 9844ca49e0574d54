import { setTimeout as pause } from 'node:timers/promises';
import { type Dispatcher, EnvHttpProxyAgent, request } from 'undici';
import { HammerlineError } from '#libs/contracts';

export interface Answer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly body: Dispatcher.ResponseData['body'];
}

export interface Http {
  /**
   * GETs a URL and follows redirects. The token goes to its own origin only. The body must be read or destroyed.
   *
   * @throws Interrupted for what may pass: no connection, silence, HTTP 408, 429 and 5xx
   */
  get(url: URL, options: GetOptions): Promise<Answer>;
  close(): Promise<void>;
}

export interface GetOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface HttpOptions {
  /** Sent as a bearer token to `tokenOrigin`. */
  readonly token?: string | undefined;
  readonly tokenOrigin: string;
  /** Milliseconds without a byte after which a connection counts as broken; 30 s unless told. */
  readonly silenceMs?: number;
}

/** What was broken off from outside and may work when it is tried again. */
export class Interrupted extends Error {
  /** Milliseconds that the server asks to wait; 0: it does not say. */
  readonly waitMs: number;

  constructor(message: string, waitMs = 0, cause?: unknown) {
    super(message, { cause });
    this.name = 'Interrupted';
    this.waitMs = waitMs;
  }
}

const MOST_REDIRECTS = 10;
const REDIRECTS = [301, 302, 303, 307, 308];
const LONGEST_PAUSE_MS = 15_000;

/** Proxies are taken from `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. */
export function openHttp({ token, tokenOrigin, silenceMs = 30_000 }: HttpOptions): Http {
  const dispatcher = new EnvHttpProxyAgent({
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
    connect: { timeout: Math.min(silenceMs, 15_000) },
  });
  const ask = async (url: URL, { headers, signal }: GetOptions) => {
    const authorization = token !== undefined && url.origin === new URL(tokenOrigin).origin;
    try {
      const answer = await request(url, {
        dispatcher,
        signal,
        headers: {
          'user-agent': 'hammerline',
          // A range of a compressed answer would be a range of other bytes.
          'accept-encoding': 'identity',
          ...headers,
          ...(authorization && { authorization: `Bearer ${token}` }),
        },
      });
      // Who reads the body sees its errors; a body that is destroyed unread has one too, which is no fault.
      answer.body.on('error', () => undefined);
      return answer;
    } catch (cause) {
      signal.throwIfAborted();
      throw new Interrupted(`${url.host}: ${reasonOf(cause)}`, 0, cause);
    }
  };
  return {
    async get(url, options) {
      let at = url;
      for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
        const { statusCode: status, headers, body } = await ask(at, options);
        const { location } = headers;
        if (!REDIRECTS.includes(status) || typeof location !== 'string') {
          if (isPassing(status)) {
            body.destroy();
            throw new Interrupted(`${at.host} answered ${status}`, retryAfter(headers));
          }
          return { status, headers, body };
        }
        body.destroy();
        at = redirected(at, location);
      }
      throw new HammerlineError('unavailable', `${url.href} redirects without end`);
    },
    async close() {
      await dispatcher.destroy();
    },
  };
}

/**
 * Does some work again while it is interrupted, with growing pauses.
 *
 * @param work is given a function that it calls when it gets on: then all tries are left again
 * @throws HammerlineError `unavailable` when `tries` in a row were interrupted
 */
export async function persist<T>(
  tries: number,
  signal: AbortSignal,
  work: (progressed: () => void) => Promise<T>,
): Promise<T> {
  for (let failed = 0; ;) {
    try {
      return await work(() => (failed = 0));
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      failed += 1;
      if (failed >= tries) {
        const mend = 'check the network (and HF_ENDPOINT, HTTPS_PROXY); the same command goes on';
        throw new HammerlineError('unavailable', `${error.message}: ${mend}`, { cause: error });
      }
      const wait = error.waitMs || 125 * 2 ** failed;
      await pause(Math.min(wait, LONGEST_PAUSE_MS), undefined, { signal });
    }
  }
}

/** What a header says; of several values the first. */
export function header(answer: Pick<Answer, 'headers'>, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Why an exchange broke, in a few words. */
export function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return 'code' in cause && cause.message === '' ? String(cause.code) : cause.message;
}

function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from) ? new URL(location, from) : undefined;
  const isFit =
    to !== undefined &&
    (to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:'));
  if (isFit) return to;
  throw new HammerlineError('unavailable', `${from.href} redirects to ${location}: not followed`);
}

function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

function retryAfter(headers: Answer['headers']): number {
  const seconds = Number(header({ headers }, 'retry-after'));
  return Number.isFinite(seconds) ? seconds * 1_000 : 0;
}
