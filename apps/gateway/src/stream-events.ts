import { once } from 'node:events';
import type { RunEvent } from '#libs/contracts';
import type { RunNotices } from '#libs/runs';
import type { FastifyReply } from 'fastify';

const HEARTBEAT_MS = 15_000;
const DRAIN_WITHIN_MS = 30_000;

/**
 * Streams a run's events as Server-Sent Events, from the one after `after` to the last, then ends. Numbers are dense,
 * and the ledger is read again from the last one sent: a lost notice delays events but never drops one.
 *
 * What one look at the ledger finds is held in memory until it is sent, event by event; the ledger is not looked at again
 * before. A reader that does not take an event in 30 s is cut, and so is one that is behind when this process stops; it
 * comes back with its Last-Event-ID.
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
  const signal = AbortSignal.any([gone.signal, options.stopping]);
  const send = async (text: string): Promise<void> => {
    if (raw.write(text)) return;
    const cut = setTimeout(() => raw.destroy(), DRAIN_WITHIN_MS);
    await once(raw, 'drain', { signal }).finally(() => clearTimeout(cut));
  };
  const listener = await options.listen(signal);
  try {
    let last = options.after;
    let events = await options.read(last);
    if (last > 0 && events.every(isAfterEnd) && (await hasEndedBy(last, options.read))) {
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
    // A client learns at once that its stream is open.
    if (events.length === 0) raw.flushHeaders();
    for (;;) {
      for (const event of events) {
        await send(`id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
        last = event.seq;
        if (event.type === 'run.ended') {
          raw.end();
          return;
        }
      }
      await listener.changed(last, HEARTBEAT_MS);
      if (gone.signal.aborted) return;
      if (options.stopping.aborted) {
        raw.end();
        return;
      }
      events = await options.read(last);
      if (events.length === 0) await send(': still here\n\n');
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

/** What came in late, of a call that the run did not wait for: the stream has ended before it. */
function isAfterEnd({ type }: RunEvent): boolean {
  return type === 'call.evidence';
}

/** Whether the end is among the first `last` events: a run may also end between two looks at it. */
async function hasEndedBy(
  last: number,
  read: (after: number) => Promise<RunEvent[]>,
): Promise<boolean> {
  return (await read(0)).some(({ type, seq }) => type === 'run.ended' && seq <= last);
}
