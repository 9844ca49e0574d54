import { appendFile, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { describe, Failure } from './failure.mjs';
import { isMain } from './root.mjs';

const MAX_BODY = 64 * 1024;

/**
 * The message service of the office sample: stands for any service outside Hammerline that does something real. Each
 * request that it carries out is one line of its log, with the effect id that came as Idempotency-Key. It does not
 * look for doubles: its log is there to reveal them.
 *
 * @param {object} options
 * @param {string} options.file its log
 * @param {string} [options.host]
 * @param {number} [options.port]
 * @param {(message: string, fields?: object) => void} [options.log]
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function startOutbox({ file, host = '127.0.0.1', port = 0, log = () => {} }) {
  const server = createServer((request, response) => {
    void answer(request, file, log)
      .catch((error) => ({ status: 500, body: { error: describe(error) } }))
      .then(({ status, body }) =>
        response
          .writeHead(status, { 'Content-Type': 'application/json' })
          .end(`${JSON.stringify(body)}\n`),
      );
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => resolve(undefined));
  }).catch((/** @type {NodeJS.ErrnoException} */ { code, message }) => {
    throw new Failure(code === 'EADDRINUSE' ? `port ${port} is in use` : message);
  });
  const { port: taken } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://${host}:${taken}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {string} file
 * @param {(message: string, fields?: object) => void} log
 * @returns {Promise<{ status: number, body: unknown }>}
 */
async function answer(request, file, log) {
  const url = new URL(request.url ?? '/', 'http://outbox');
  if (url.pathname !== '/messages') return { status: 404, body: { error: 'only /messages' } };
  if (request.method === 'GET') {
    const recipient = url.searchParams.get('recipient');
    const messages = await readMessages(file);
    return {
      status: 200,
      body: { messages: messages.filter((it) => !recipient || it.recipient === recipient) },
    };
  }
  if (request.method !== 'POST') return { status: 405, body: { error: 'only GET and POST' } };
  const effectId = request.headers['idempotency-key'];
  if (typeof effectId !== 'string' || effectId === '') return refused('no Idempotency-Key header');
  const body = await readJson(request);
  const { recipient, text } = body ?? {};
  if (typeof recipient !== 'string' || typeof text !== 'string') {
    return refused('the body must be a JSON object with the strings `recipient` and `text`');
  }
  const message = { effectId, recipient, text, at: new Date().toISOString() };
  await appendFile(file, `${JSON.stringify(message)}\n`);
  log('message written', { effectId, recipient });
  return { status: 201, body: message };
}

/** @param {string} error */
function refused(error) {
  return { status: 400, body: { error } };
}

/**
 * @param {string} file
 * @returns {Promise<{ effectId: string, recipient: string, text: string, at: string }[]>}
 */
async function readMessages(file) {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @returns {Promise<Record<string, unknown> | undefined>}
 */
async function readJson(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MAX_BODY) return undefined;
  }
  try {
    const value = JSON.parse(text);
    return value && typeof value === 'object' ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {string} msg
 * @param {object} [fields]
 */
function writeLog(msg, fields) {
  console.log(JSON.stringify({ level: 30, time: Date.now(), service: 'outbox', msg, ...fields }));
}

if (isMain(import.meta.url)) {
  const { HOST: host, PORT: port, OUTBOX_LOG: file = 'outbox.log' } = process.env;
  try {
    const outbox = await startOutbox({
      file,
      ...(host && { host }),
      port: Number(port ?? 0),
      log: writeLog,
    });
    const stop = () => outbox.close().then(() => process.exit(0));
    process.once('SIGTERM', stop).once('SIGINT', stop).once('disconnect', stop);
    process.send?.({ type: 'ready', url: outbox.url });
    writeLog('listening', { url: outbox.url });
  } catch (error) {
    console.error(`hammerline outbox: ${describe(error)}`);
    process.exitCode = 1;
  }
}
