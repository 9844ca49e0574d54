import { setTimeout as delay } from 'node:timers/promises';

const RECONNECT_MS = 300;

/** @typedef {{ seq: number, type: string, at: string, data: Record<string, any> }} RunEvent */

/**
 * A run's events until its last one. A stream that breaks is taken up again behind the last event seen.
 *
 * @param {string} url
 * @param {Record<string, string>} headers
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<RunEvent>}
 */
export async function* runEvents(url, headers, signal) {
  let last = '';
  for (;;) {
    try {
      const response = await fetch(url, {
        headers: {
          ...headers,
          Accept: 'text/event-stream',
          ...(last && { 'Last-Event-ID': last }),
        },
        signal,
      });
      if (!response.ok) throw new Error(`${url} answers ${response.status}`);
      for await (const { id, data } of parseStream(response.body ?? [])) {
        if (id) last = id;
        const event = /** @type {RunEvent} */ (JSON.parse(data));
        yield event;
        if (event.type === 'run.ended') return;
      }
    } catch (error) {
      if (signal.aborted) throw error;
    }
    await delay(RECONNECT_MS, undefined, { signal });
  }
}

/**
 * @param {AsyncIterable<Uint8Array> | Iterable<Uint8Array>} body
 * @returns {AsyncGenerator<{ id: string, data: string }>}
 */
export async function* parseStream(body) {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (/** @type {string} */ name) =>
        block
          .split(/\r?\n/)
          .filter((line) => line.startsWith(`${name}:`))
          .map((line) => line.slice(name.length + 1).replace(/^ /, ''))
          .join('\n');
      const data = field('data');
      // A comment alone is a heartbeat.
      if (data) yield { id: field('id'), data };
    }
  }
}
