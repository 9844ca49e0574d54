import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import {
  flag,
  frame,
  frameType,
  preface,
  settingsFrame,
} from '../../../libs/triton/src/http2/frames.js';

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Support for specs: the server's end of one connection, which sends what it is told and reads frames one by one. */
export class RawPeer {
  readonly socket: Socket;
  #bytes = Buffer.alloc(0);
  #cut = 0;
  #came = Promise.withResolvers<void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes.subarray(this.#cut), chunk]);
      this.#cut = 0;
      this.#came.resolve();
    });
    socket.on('close', () => this.#came.resolve());
  }

  write(...pieces: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(pieces));
  }

  /** The client's next frame of this type; those before it are passed over. Rejects when the connection ends before it. */
  async next(type: number): Promise<RawFrame> {
    for (;;) {
      const found = await this.any();
      if (found.type === type) return found;
    }
  }

  /** All that comes until the client ends the connection. */
  async rest(): Promise<RawFrame[]> {
    const frames: RawFrame[] = [];
    for (;;) {
      const next = await this.any().catch(() => undefined);
      if (next === undefined) return frames;
      frames.push(next);
    }
  }

  async any(): Promise<RawFrame> {
    await this.#has(1);
    // The preface begins with a letter, no frame of that length does.
    if (this.#at(0) === preface[0]) {
      await this.#has(preface.length);
      this.#cut += preface.length;
    }
    await this.#has(9);
    const length = this.#bytes.readUIntBE(this.#cut, 3);
    const type = this.#at(3);
    const flags = this.#at(4);
    const stream = this.#bytes.readUInt32BE(this.#cut + 5);
    await this.#has(9 + length);
    const payload = this.#bytes.subarray(this.#cut + 9, this.#cut + 9 + length);
    this.#cut += 9 + length;
    return { type, flags, stream, payload };
  }

  /** Resolves when the client has ended the connection. */
  async closed(): Promise<void> {
    if (!this.socket.closed) await once(this.socket, 'close');
  }

  #at(offset: number): number {
    return this.#bytes[this.#cut + offset] ?? 0;
  }

  async #has(length: number): Promise<void> {
    while (this.#bytes.length - this.#cut < length) {
      if (this.socket.closed) throw new Error('the client has ended the connection');
      this.#came = Promise.withResolvers<void>();
      await this.#came.promise;
    }
  }
}

/** Support for specs: a TCP server for what no decent HTTP/2 server sends. */
export class RawServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #onPeer: (peer: RawPeer) => unknown;

  /** @param onPeer a rejection of its promise is an unhandled one */
  private constructor(onPeer: (peer: RawPeer) => unknown) {
    this.#onPeer = onPeer;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      this.#onPeer(new RawPeer(socket));
    });
  }

  static async listen(onPeer: (peer: RawPeer) => unknown): Promise<RawServer> {
    const server = new RawServer(onPeer);
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** SETTINGS, as each server's first frame. */
export const settings = settingsFrame;

/** A header block of literals, in one HEADERS frame. */
export function headersFrame(
  stream: number,
  fields: Readonly<Record<string, string>>,
  flags = flag.endHeaders,
): Buffer {
  return frame(frameType.headers, flags, stream, literals(fields));
}

export function literals(fields: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(fields).flatMap(([name, value]) => [
      Buffer.from([0, name.length]),
      Buffer.from(name),
      Buffer.from([value.length]),
      Buffer.from(value),
    ]),
  );
}

export function dataFrame(stream: number, data: string | Buffer, flags = 0): Buffer {
  return frame(frameType.data, flags, stream, Buffer.from(data));
}

export function goawayFrame(last: number, code: number, words = ''): Buffer {
  const payload = Buffer.alloc(8);
  payload.writeUInt32BE(last);
  payload.writeUInt32BE(code, 4);
  return frame(frameType.goaway, 0, 0, Buffer.concat([payload, Buffer.from(words)]));
}
