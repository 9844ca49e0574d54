import { type ErrorCode, HammerlineError } from '#libs/contracts';
import { z } from 'zod';

/** Whom an error is about. */
export interface OpenAiSubject {
  readonly server: string;
  readonly model: string;
  readonly lora: string | undefined;
}

/** What a server says is wrong: in OpenAI's form, llama.cpp's (whose code is a status), or as a text alone. */
const Failure = z.union([
  z.object({ message: z.string(), code: z.unknown().optional() }),
  z.string().transform((message) => ({ message, code: undefined })),
]);

/** The error of an answer with an HTTP status. */
export function statusError(status: number, body: string, subject: OpenAiSubject): HammerlineError {
  const message = messageOf(body);
  const [code, mend] = meaningOf(status, message, subject);
  return new HammerlineError(
    code,
    `${subject.server} answers ${status}${message === '' ? '' : `, ${message}`} (${mend})`,
  );
}

/** The error that a chunk is, if it is one: the status was sent before. */
export function chunkError(value: unknown, subject: OpenAiSubject): HammerlineError | undefined {
  const failure = z.object({ error: Failure }).safeParse(value);
  if (!failure.success) return undefined;
  const { message, code } = failure.data.error;
  if (code === 400 || code === '400') return statusError(400, message, subject);
  return new HammerlineError('model_failed', `${subject.server} broke off: ${message}`);
}

/** The error of a connection. `answered`: the server had begun to answer. */
export function connectionError(
  error: unknown,
  answered: boolean,
  { server }: OpenAiSubject,
): HammerlineError {
  const { code = '', message = '' } = Object(error) as { code?: string; message?: string };
  const said = message || code || String(error);
  const isTimeout = code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT';
  if (isTimeout) {
    return new HammerlineError('model_failed', `${server} fell silent: ${said}`, { cause: error });
  }
  if (answered || LOST.has(code)) {
    const what = `${server} was gone before it had answered: ${said}`;
    return new HammerlineError('model_failed', what, { cause: error });
  }
  return new HammerlineError(
    'model_unavailable',
    `${server} cannot be reached: ${said} (is it running, and is OPENAI_BASE_URL right?)`,
    { cause: error },
  );
}

/** A connection that was there and is lost: a server that stops, or an idle connection that it closed meanwhile. */
export const LOST: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

function meaningOf(
  status: number,
  message: string,
  { model, lora }: OpenAiSubject,
): [code: ErrorCode, mend: string] {
  switch (status) {
    // What is set wrong, or gone at the server, is the doing of no single request.
    case 401:
    case 403:
      return ['model_unavailable', 'set OPENAI_API_KEY to a key of this server'];
    case 404:
      if (lora !== undefined) return ['model_unavailable', `does it have the adapter ${lora}?`];
      return [
        'model_unavailable',
        /\bmodel\b/i.test(message)
          ? `does it serve the model ${model}?`
          : 'OPENAI_BASE_URL ends in its version, such as /v1; without completions, set OPENAI_API=chat',
      ];
    case 413:
      return ['context_overflow', 'shorten the request or the toolset'];
    case 429:
      return ['model_overloaded', 'it has too much to do'];
    case 503:
      return meaningOf503(message);
    case 408:
    case 502:
    case 504:
      return ['model_failed', 'it may have worked on the request'];
    default:
      break;
  }
  if (/maximum context length|context (?:size|length|window)|too many tokens/i.test(message)) {
    return ['context_overflow', 'shorten the request or the toolset'];
  }
  if (status >= 500) return ['model_failed', 'look at its log'];
  return ['model_refused', 'if it is the grammar or the schema, set GUIDED_DECODING'];
}

/** Gateways answer so, too, where their server is gone. */
function meaningOf503(message: string): [code: ErrorCode, mend: string] {
  // Envoy's words for a connection that broke, perhaps behind the request.
  if (/\bupstream connect error\b/.test(message)) {
    return ['model_failed', 'it may have worked on the request'];
  }
  return /\bloading\b|\bnot (?:yet )?ready\b|\bno healthy upstream\b/i.test(message)
    ? ['model_unavailable', 'it loads its model']
    : ['model_overloaded', 'it has too much to do'];
}

/** The words in a body, which may be a page of HTML. */
function messageOf(body: string): string {
  try {
    const failure = z
      .union([z.object({ error: Failure }).transform(({ error }) => error), Failure])
      .safeParse(JSON.parse(body));
    if (failure.success) return failure.data.message;
  } catch {
    // No JSON.
  }
  return body.length > 300 ? `${body.slice(0, 300)}…` : body.trim();
}
