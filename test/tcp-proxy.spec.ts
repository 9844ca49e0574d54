import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTcpProxy, type TcpProxy } from './support/tcp-proxy.js';

/** Gives back what it gets, and ends when the other side does. */
const echo = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => {}).pipe(socket);
});
let proxy: TcpProxy;

beforeEach(async () => {
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await startTcpProxy({ target: { port: (echo.address() as AddressInfo).port } });
});

afterEach(async () => {
  await proxy.close();
  await new Promise((resolve) => echo.close(resolve));
});

function open(): Socket {
  return connect({ host: proxy.host, port: proxy.port, allowHalfOpen: true });
}

/** All that comes until the end; or the error's code, where the connection breaks. */
async function outcome(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  } finally {
    socket.destroy();
  }
}

describe('a TCP proxy without faults', () => {
  it('hands on all bytes in order, and each end for itself', async () => {
    const socket = open();
    const sent = Buffer.alloc(1_000_000, 'abcdefghijklm');
    socket.end(sent);
    expect(await outcome(socket)).toBe(sent.toString());
    const { up, down, closed } = await proxy.connected();
    await closed;
    expect([up.forwarded, down.forwarded]).toEqual([1_000_000, 1_000_000]);
  });

  it('waits for the connection that is asked for', async () => {
    const second = proxy.connected(2);
    const sockets = [open(), open()];
    expect(await second).toBe(proxy.connections[1]);
    for (const socket of sockets) socket.destroy();
  });

  it('resets a client whose server is not there', async () => {
    const closed = new Promise((resolve) => echo.close(resolve));
    expect(await outcome(open())).toBe('ECONNRESET');
    await closed;
    echo.listen(0, '127.0.0.1');
  });
});

describe('a fault of a TCP proxy', () => {
  it('latency: delays every chunk, does not add up, keeps the order', async () => {
    proxy.setFaults({ up: { latencyMs: 30 }, down: { latencyMs: 30 } });
    const socket = open();
    const start = performance.now();
    const { up } = await proxy.connected();
    for (let at = 0; at < 5; at++) {
      socket.write(`${at}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(up.forwarded).toBe(0);
    socket.end();
    expect(await outcome(socket)).toBe('01234');
    // A timer may be a millisecond early.
    expect(performance.now() - start).toBeGreaterThan(58);
  });

  it('reset: at once', async () => {
    const socket = open();
    const heard = outcome(socket);
    (await proxy.connected()).reset();
    expect(await heard).toBe('ECONNRESET');
  });

  it('reset: after some bytes', async () => {
    proxy.setFaults({ down: { resetAfter: 3 } });
    const socket = open();
    const heard: string[] = [];
    socket.on('data', (chunk: Buffer) => heard.push(chunk.toString()));
    socket.write('hello');
    const [error] = (await once(socket, 'error').catch((reason: unknown) => [reason])) as Error[];
    expect(error).toMatchObject({ code: 'ECONNRESET' });
    expect(heard.join('')).toBe('hel');
  });

  it('reset: of a live connection whose limit is passed', async () => {
    const socket = open();
    socket.write('hello');
    const connection = await proxy.connected();
    await connection.down.bytesForwarded(5);
    const heard = outcome(socket);
    connection.down.setFaults({ resetAfter: 3 });
    expect(await heard).toBe('ECONNRESET');
  });

  it('end: loses the rest and ends properly', async () => {
    proxy.setFaults({ down: { endAfter: 3 } });
    const socket = open();
    socket.write('hello');
    expect(await outcome(socket)).toBe('hel');
  });

  it('black hole: holds bytes and end back until it is mended', async () => {
    const socket = open();
    const { up, down } = await proxy.connected();
    down.setFaults({ blackHole: true });
    socket.end('hello');
    await up.bytesForwarded(5);
    // Another connection's later round trip: what is not held back would have come by now.
    const other = open();
    other.end('bye');
    expect(await outcome(other)).toBe('bye');
    expect(down.forwarded).toBe(0);
    down.setFaults({});
    expect(await outcome(socket)).toBe('hello');
  });

  it('black hole: stops reading when enough waits', async () => {
    const socket = open();
    const { up } = await proxy.connected();
    up.setFaults({ blackHole: true });
    const sent = Buffer.alloc(32 << 20, 'x');
    socket.end(sent);
    // As much goes through another connection meanwhile.
    const other = open();
    other.end(sent);
    expect(await outcome(other)).toHaveLength(sent.length);
    expect(up.forwarded).toBe(0);
    // More than all the buffers between could take.
    expect(socket.writableLength).toBeGreaterThan(0);
    up.setFaults({});
    expect(await outcome(socket)).toHaveLength(sent.length);
  });

  it('throttle: so many bytes a tick', async () => {
    proxy.setFaults({ down: { bytesPerMs: 10 } });
    const socket = open();
    const start = performance.now();
    socket.end(Buffer.alloc(200, 'x'));
    expect(await outcome(socket)).toHaveLength(200);
    expect(performance.now() - start).toBeGreaterThan(15);
  });

  it('corruption: one byte, at its offset', async () => {
    proxy.setFaults({ up: { corruptAt: 4 } });
    const socket = open();
    socket.write('abc');
    await (await proxy.connected()).up.bytesForwarded(3);
    socket.end('def');
    const heard = await outcome(socket);
    expect(heard.replace(/[^a-f]+/, '?')).toBe('abcd?f');
  });

  it('refusal: until it listens again, on the same port', async () => {
    const live = open();
    await proxy.connected();
    proxy.refuse();
    expect(await outcome(open())).toBe('ECONNREFUSED');
    live.end('still there');
    expect(await outcome(live)).toBe('still there');
    await proxy.accept();
    const socket = open();
    socket.end('back');
    expect(await outcome(socket)).toBe('back');
  });
});
