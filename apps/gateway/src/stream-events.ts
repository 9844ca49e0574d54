import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { RunEvent } from '#libs/contracts';
import type { RunNotices } from '#libs/runs';
import type { FastifyReply } from 'fastify';
import { RECHECK_MS } from './wait-for-run.js';

const HEARTBEAT_MS = 15_000;
const DRAIN_WITHIN_MS = 30_000;

/**
 * Streams a run's events as Server-Sent Events, from the one after `after` to the last, then ends. Numbers are dense,
 * and the ledger is read again from the last one sent: a lost notice delays events but never drops one.
 */
export async function streamEvents(
  reply: FastifyReply,
  options: {
    after: number;
    read: (after: number) => Promise<RunEvent[]>;
    listen: (signal: AbortSignal) => ReturnType<RunNotices['listen']>;
    /** Ends the stream between two events when this process stops; the client comes back elsewhere. */
    stopping: AbortSignal;
  },
): Promise<void> {
  const { raw } = reply;
  const gone = new AbortController();
  raw.once('close', () => gone.abort());
  // The client may have left while its run was looked up: then `close` will not come again.
  if (raw.destroyed) gone.abort();
  const listener = options.listen(AbortSignal.any([gone.signal, options.stopping]));
  try {
    let last = options.after;
    let events = await options.read(last);
    if (events.length === 0 && last > 0 && (await hasEnded(options.read))) {
      // Nothing will ever follow: 204 tells an EventSource to stop asking.
      void reply.status(204).send();
      return;
    }
    reply.hijack();
    raw.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    let beatAt = performance.now();
    for (;;) {
      for (const event of events) {
        const written = raw.write(
          `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`,
        );
        if (!written) await drained(raw, gone.signal);
        last = event.seq;
        if (event.type === 'run.ended') {
          raw.end();
          return;
        }
      }
      if (performance.now() - beatAt > HEARTBEAT_MS) {
        raw.write(': still here\n\n');
        beatAt = performance.now();
      }
      await listener.changed(RECHECK_MS);
      if (gone.signal.aborted) return;
      if (options.stopping.aborted) {
        raw.end();
        return;
      }
      events = await options.read(last);
    }
  } catch (error) {
    if (gone.signal.aborted) return;
    if (!raw.headersSent) throw error;
    // The stream broke on our side: cut it, so that the client comes back with its Last-Event-ID.
    raw.destroy();
  } finally {
    listener.close();
  }
}

/** A reader that takes nothing for this long is cut: it can resume with Last-Event-ID. */
async function drained(raw: ServerResponse, gone: AbortSignal): Promise<void> {
  await once(raw, 'drain', {
    signal: AbortSignal.any([gone, AbortSignal.timeout(DRAIN_WITHIN_MS)]),
  });
}

async function hasEnded(read: (after: number) => Promise<RunEvent[]>): Promise<boolean> {
  return (await read(0)).at(-1)?.type === 'run.ended';
}
