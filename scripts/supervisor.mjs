import { setTimeout as delay } from 'node:timers/promises';
import { describe } from './failure.mjs';
import { residentMemory } from './proc.mjs';
import { exitText } from './server.mjs';

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 15_000;
/** A process that lived this long did not die of its start: it is tried again soon. */
const HEALTHY_MS = 30_000;

/** @typedef {import('./server.mjs').Server} Server */

/**
 * Keeps servers running: what dies after it was ready is started again, ever later; all are stopped in reverse order.
 *
 * @param {(line: string) => void} say
 */
export function createSupervisor(say) {
  /** In the order of their starts; one that is not ready yet has no server. */
  /** @type {{ name: string, server?: Server }[]} */
  const kept = [];
  const stopping = new AbortController();

  /** @param {string} name @param {Server} server */
  async function watch(name, server) {
    let wait = FIRST_DELAY_MS;
    for (;;) {
      const began = performance.now();
      const exit = await server.exited;
      if (stopping.signal.aborted) return;
      if (performance.now() - began > HEALTHY_MS) wait = FIRST_DELAY_MS;
      say(`${name} ended (${exitText(exit)})`);
      do {
        say(`${name} is started again in ${wait / 1000} s`);
        await delay(wait, undefined, { signal: stopping.signal }).catch(() => {});
        if (stopping.signal.aborted) return;
        wait = Math.min(wait * 2, LONGEST_DELAY_MS);
      } while (!(await restart(name, server)));
      // A stop that came meanwhile has not seen the new process.
      if (stopping.signal.aborted) return server.stop();
    }
  }

  /** @param {string} name @param {Server} server */
  async function restart(name, server) {
    try {
      await server.restart();
      say(`${name} runs again`);
      return true;
    } catch (error) {
      say(describe(error));
      return false;
    }
  }

  /** @type {Promise<void>[]} */
  const watches = [];
  return {
    /**
     * @template {Server} T
     * @param {string} name
     * @param {() => Promise<T>} start
     */
    async start(name, start) {
      /** @type {{ name: string, server?: Server }} */
      const slot = { name };
      kept.push(slot);
      const server = await start();
      slot.server = server;
      watches.push(watch(name, server));
      return server;
    },

    async stop() {
      stopping.abort();
      for (const { server } of kept.toReversed()) await server?.stop();
      await Promise.all(watches);
    },

    /** At once: for the second Ctrl-C. */
    kill() {
      stopping.abort();
      for (const { server } of kept) void server?.kill();
    },

    /** Bytes by name; a server's own children count to it. */
    memory() {
      return kept.flatMap(({ name, server }) =>
        server ? [{ name, bytes: residentMemory(server.pid) }] : [],
      );
    },
  };
}
