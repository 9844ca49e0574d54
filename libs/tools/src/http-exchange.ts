import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { readJson, storableText } from './call-result.js';
import { type Failure, failureOf } from './failure.js';
import type { HttpRequest } from './http-request.js';

/** Shorter values of variables are no secrets, and taking them out of results would garble these. */
const minSecretLength = 6;

export interface ExchangeOptions {
  /** Bytes of the body that are read of an answer with this status. */
  maxBytes: (status: number) => number;
  /** Ends the exchange; a reason named `TimeoutError` reads as a timeout. */
  signal: AbortSignal;
  /** Asked right before the first byte leaves. */
  mayStart?: (() => boolean) | undefined;
}

export interface Answer {
  kind: 'answered';
  status: number;
  isJson: boolean;
  /** Without the values of variables that the request held. */
  text: string;
  /** `cut`: it is longer than was read. A `Failure`: it broke off. */
  body: 'whole' | 'cut' | Failure;
}

/** What became of a request. `lost`: its bytes may have reached the server, and no status came back. */
export type Exchange = ({ kind: 'not_sent' | 'lost' } & Failure) | Answer;

/**
 * Sends one request on a fresh connection, and follows no redirect. Never throws.
 *
 * node:http rather than fetch, as it tells when a connection stands: until then no byte has left, so that a failure is
 * surely `not_sent`. `agent: false` makes a connection of its own for each request.
 */
export function exchangeHttp(request: HttpRequest, options: ExchangeOptions): Promise<Exchange> {
  const { signal, mayStart = () => true } = options;
  return new Promise((resolve) => {
    const { url, method, headers, body } = request;
    const isSecure = url.protocol === 'https:';
    let isSent = false;
    const fail = (error?: unknown): void => {
      resolve({ kind: isSent ? 'lost' : 'not_sent', ...failureOf(signal, error) });
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
        if (!mayStart()) {
          resolve({ kind: 'not_sent', code: 'cancelled', reason: 'it may not start any more' });
          outgoing.destroy();
          return;
        }
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
      void readAnswer(incoming, request, options).then(resolve);
    });
    outgoing.on('error', fail);
    outgoing.once('close', fail);
  });
}

/** The body of an answer: the value of JSON, else the text. */
export function valueOf({ isJson, text }: Answer): unknown {
  if (text === '') return null;
  return isJson ? readJson(text) : storableText(text);
}

/** Reads an answer up to its cap; never throws, as the status alone may decide. */
async function readAnswer(
  incoming: IncomingMessage,
  { secrets }: HttpRequest,
  { maxBytes, signal }: ExchangeOptions,
): Promise<Answer> {
  const status = incoming.statusCode ?? 0;
  const limit = maxBytes(status);
  const chunks: Buffer[] = [];
  let size = 0;
  let body: Answer['body'] = 'whole';
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > limit) {
        body = 'cut';
        break; // which also closes the connection
      }
    }
  } catch (error) {
    body = failureOf(signal, error);
  }
  const text = withoutSecrets(new TextDecoder().decode(Buffer.concat(chunks)), secrets);
  const isJson = /^application\/(?:[\w.+-]+\+)?json\b/i.test(
    incoming.headers['content-type'] ?? '',
  );
  return { kind: 'answered', status, isJson, text, body };
}

function withoutSecrets(text: string, secrets: ReadonlyMap<string, string>): string {
  let clean = text;
  for (const [name, value] of secrets) {
    if (value.length < minSecretLength) continue;
    // As it is, and as JSON writes it: some writers escape slashes too.
    const escaped = JSON.stringify(value).slice(1, -1);
    for (const form of new Set([value, escaped, escaped.replaceAll('/', '\\/')])) {
      clean = clean.replaceAll(form, () => `\${${name}}`);
    }
  }
  return clean;
}
