import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { CallResult, Effect } from '#libs/contracts';
import { failed, readJson, storableText, tooLarge, uncertain } from './call-result.js';
import {
  buildHttpRequest,
  type Environment,
  type HttpRequest,
  type HttpSpec,
} from './http-request.js';

/** How much of an error's body is read, and how much of that an error message quotes. */
const maxErrorBytes = 4_096;
const snippetLength = 300;
/** Shorter values of variables are no secrets, and taking them out of results would garble these. */
const minSecretLength = 6;
/** Answers that do not say whether the request was carried out. 302 and 303 also follow a form that was. */
const undecided = new Set([302, 303, 408, 425, 429]);

interface HttpTool {
  effect: Effect;
  timeoutMs: number;
  maxResultBytes: number;
}

/** What became of a request. `lost`: its bytes may have reached the server, and no status came back. */
type Exchange =
  | { kind: 'not_sent'; reason: string }
  | { kind: 'lost'; reason: string }
  | {
      kind: 'answered';
      status: number;
      isJson: boolean;
      text: string;
      body: 'whole' | 'cut' | 'lost';
    };

/**
 * Makes one call over HTTP: one request on a fresh connection; no redirect is followed, nothing is tried twice. It
 * claims no more than it knows: a call whose connection was never made has failed (`not sent: …`); a `once` call without
 * a clear answer ends `unknown`.
 *
 * @param signal ends the call; a reason named `TimeoutError` reads as a timeout
 * @throws HammerlineError `tool_failed` if the request cannot be built
 */
export async function callHttp(
  tool: HttpTool,
  spec: HttpSpec,
  call: { id: string; arguments: Record<string, unknown> },
  {
    env,
    signal,
    traceparent,
  }: { env: Environment; signal: AbortSignal; traceparent?: string | undefined },
): Promise<CallResult> {
  const request = buildHttpRequest(spec, call, env, traceparent);
  const exchange = await send(request, tool.maxResultBytes, signal);
  if (exchange.kind === 'not_sent') return failed('tool_failed', `not sent: ${exchange.reason}`);
  const failure = isTimeout(signal) ? 'tool_timeout' : 'tool_failed';
  if (exchange.kind === 'lost') return uncertain(tool.effect, failure, exchange.reason);

  const { status, isJson, body } = exchange;
  const text = withoutSecrets(exchange.text, request.secrets);
  if (status >= 200 && status < 300) {
    if (body === 'lost') {
      return uncertain(tool.effect, failure, `HTTP ${status}, but the answer broke off`);
    }
    if (body === 'cut') return tooLarge(tool.effect, tool.maxResultBytes, text);
    if (text === '') return { state: 'succeeded', result: null };
    return { state: 'succeeded', result: isJson ? readJson(text) : storableText(text) };
  }
  const snippet = text.trim().slice(0, snippetLength);
  const redirect = status < 400 ? ' (redirects are not followed)' : '';
  const message = `HTTP ${status}${redirect}${snippet === '' ? '' : `: ${snippet}`}`;
  return status >= 500 || undecided.has(status)
    ? uncertain(tool.effect, 'tool_failed', message)
    : failed('tool_failed', message);
}

/**
 * node:http rather than fetch, as it tells when a connection stands: until then no byte has left, so that a failure is
 * surely `not_sent`. `agent: false` makes a connection of its own for each request.
 */
function send(request: HttpRequest, maxBytes: number, signal: AbortSignal): Promise<Exchange> {
  return new Promise((resolve) => {
    const { url, method, headers, body } = request;
    const isSecure = url.protocol === 'https:';
    let isSent = false;
    const fail = (error?: unknown): void => {
      const reason = reasonOf(error, signal);
      resolve({ kind: isSent ? 'lost' : 'not_sent', reason });
    };
    const outgoing = (isSecure ? https : http).request(url, {
      method,
      headers,
      agent: false,
      signal,
    });
    outgoing.once('socket', (socket) => {
      socket.once(isSecure ? 'secureConnect' : 'connect', () => {
        if (signal.aborted) return;
        isSent = true;
        outgoing.end(body);
      });
    });
    outgoing.once('response', (incoming) => {
      // From here on the status counts, whatever becomes of the body.
      outgoing
        .off('close', fail)
        .off('error', fail)
        .on('error', () => {});
      void readAnswer(incoming, maxBytes).then(resolve);
    });
    outgoing.on('error', fail);
    outgoing.once('close', fail);
  });
}

/** Reads an answer up to its cap; never throws, as the status alone may decide. */
async function readAnswer(incoming: IncomingMessage, maxBytes: number): Promise<Exchange> {
  const status = incoming.statusCode ?? 0;
  const limit = status >= 200 && status < 300 ? maxBytes : Math.min(maxBytes, maxErrorBytes);
  const chunks: Buffer[] = [];
  let size = 0;
  let body: 'whole' | 'cut' | 'lost' = 'whole';
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > limit) {
        body = 'cut';
        break; // which also closes the connection
      }
    }
  } catch {
    body = 'lost';
  }
  const text = new TextDecoder().decode(Buffer.concat(chunks));
  const isJson = /^application\/(?:[\w.+-]+\+)?json\b/i.test(
    incoming.headers['content-type'] ?? '',
  );
  return { kind: 'answered', status, isJson, text, body };
}

function isTimeout(signal: AbortSignal): boolean {
  const reason: unknown = signal.reason;
  return signal.aborted && reason instanceof Error && reason.name === 'TimeoutError';
}

function reasonOf(error: unknown, signal: AbortSignal): string {
  if (isTimeout(signal)) return 'no answer in time';
  if (signal.aborted) return 'the call was stopped';
  if (!(error instanceof Error)) return 'the connection closed without an answer';
  // Of several addresses that were tried, the error's message is empty.
  const cause = error instanceof AggregateError ? (error.errors[0] ?? error) : error;
  return cause instanceof Error ? cause.message : String(cause);
}

function withoutSecrets(text: string, secrets: ReadonlyMap<string, string>): string {
  let clean = text;
  for (const [name, value] of secrets) {
    if (value.length >= minSecretLength) clean = clean.replaceAll(value, () => `\${${name}}`);
  }
  return clean;
}
