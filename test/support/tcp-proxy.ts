import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { FaultyLane, type Faults } from './faulty-lane.js';

/** `up` is from client to server, `down` from server to client. */
export interface LaneFaults {
  readonly up?: Faults;
  readonly down?: Faults;
}

/** One connection through the proxy. */
export interface ProxiedConnection {
  readonly up: FaultyLane;
  readonly down: FaultyLane;
  /** Cuts both sides off with a TCP reset (RST), now. */
  reset(): void;
  /** Resolves when neither side is connected any more. */
  readonly closed: Promise<void>;
}

export interface TcpProxy {
  readonly host: string;
  readonly port: number;
  /** All that were ever accepted, in order. */
  readonly connections: readonly ProxiedConnection[];
  /** The first, second, … connection of all; waits where it has not come yet. Counts from 1. */
  connected(nth?: number): Promise<ProxiedConnection>;
  /** The faults of all connections, those to come included, from now on; a direction that is left out has none. */
  setFaults(faults: LaneFaults): void;
  /** Resets every connection there is. */
  reset(): void;
  /** No more listens: new connections are refused by the kernel, those there are live on. */
  refuse(): void;
  /** Listens again, on the same port. */
  accept(): Promise<void>;
  /** Resets what is left and lets go of the port. */
  close(): Promise<void>;
}

/**
 * A TCP proxy on the loopback interface that breaks connections as a test says. Whatever it does can be awaited, so that
 * no test has to sleep.
 */
export async function startTcpProxy(options: {
  readonly target: { readonly host?: string; readonly port: number };
  readonly faults?: LaneFaults;
}): Promise<TcpProxy> {
  const host = '127.0.0.1';
  const { target } = options;
  let { faults = {} } = options;
  const connections: ProxiedConnection[] = [];
  const accepted = new EventEmitter();
  // Half-closed connections stay as they are: the proxy passes on each side's end for itself.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({ host, ...target, allowHalfOpen: true, noDelay: true });
    connections.push(joined(client, upstream, faults));
    accepted.emit('connection');
  });
  const port = await listen(server, host, 0);
  const resetAll = (): void => {
    for (const connection of connections) connection.reset();
  };

  return {
    host,
    port,
    connections,
    async connected(nth = 1) {
      for (;;) {
        const connection = connections[nth - 1];
        if (connection) return connection;
        await once(accepted, 'connection');
      }
    },
    setFaults(changed) {
      faults = changed;
      for (const { up, down } of connections) {
        up.setFaults(changed.up ?? {});
        down.setFaults(changed.down ?? {});
      }
    },
    reset: resetAll,
    refuse() {
      server.close();
    },
    async accept() {
      await listen(server, host, port);
    },
    async close() {
      server.close();
      resetAll();
      await Promise.all(connections.map(({ closed }) => closed));
    },
  };
}

function joined(client: Socket, upstream: Socket, faults: LaneFaults): ProxiedConnection {
  const sockets = [client, upstream];
  const reset = (): void => {
    for (const socket of sockets) {
      // Node cannot reset while its FIN is on the way, and would then never close.
      if (socket.writableEnded && !socket.writableFinished) socket.destroy();
      else socket.resetAndDestroy();
    }
  };
  const closed = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
  for (const socket of sockets) socket.on('error', reset);
  return {
    up: new FaultyLane(client, upstream, faults.up ?? {}, reset),
    down: new FaultyLane(upstream, client, faults.down ?? {}, reset),
    reset,
    closed: Promise.all(closed).then(() => undefined),
  };
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
