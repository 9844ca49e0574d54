import { type AddressInfo, createServer, type Socket } from 'node:net';

/**
 * Stands in for Triton, where a client's own cost is to be seen: answers every call as if it were identity's, with sixteen
 * zeros, and looks at no header. Bare HTTP/2 frames, so that it is quicker than any client. Its argument says what calls
 * it takes: `unary` ones, or `streams`, each of whose requests gets one answer; after that nothing more happens.
 *
 * Leaves out what these few small messages never need: it opens the connection's window wide at the start and trusts the
 * client to do the same in time, and takes for granted that no message is cut into several DATA frames.
 */
const FRAME = { data: 0, headers: 1, settings: 4, ping: 6, windowUpdate: 8 } as const;
const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;
const PREFACE_BYTES = 24;

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header field as HPACK writes it without a table. */
function literal(name: string, value: string): Buffer {
  return Buffer.from(
    `\0${String.fromCharCode(name.length)}${name}${String.fromCharCode(value.length)}${value}`,
    'latin1',
  );
}

/** A protobuf field of bytes shorter than 128. */
function field(number: number, value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}

const status200 = Buffer.from([0x88]);
const headers = Buffer.concat([status200, literal('content-type', 'application/grpc')]);
const trailers = literal('grpc-status', '0');
const tensor = [field(1, 'OUTPUT0'), field(2, 'FP32'), field(3, Uint8Array.of(16))];

/** ModelInferResponse. */
function answer(id: Uint8Array): Buffer {
  return Buffer.concat([
    field(1, 'identity'),
    field(2, '1'),
    field(3, id),
    field(5, Buffer.concat(tensor)),
    field(6, new Uint8Array(64)),
  ]);
}

/** With the prefix of a gRPC message. */
function message(bytes: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** ModelMetadataResponse. */
function metadata(): Buffer {
  const input = [field(1, 'INPUT0'), field(2, 'FP32'), field(3, Uint8Array.of(16))];
  return Buffer.concat([
    field(1, 'identity'),
    field(2, '1'),
    field(3, 'stub'),
    field(4, Buffer.concat(input)),
    field(5, Buffer.concat(tensor)),
  ]);
}

function unary(bytes: Buffer, stream: number): Buffer {
  return Buffer.concat([
    frame(FRAME.headers, END_HEADERS, stream, headers),
    frame(FRAME.data, 0, stream, message(bytes)),
    frame(FRAME.headers, END_HEADERS | END_STREAM, stream, trailers),
  ]);
}

const inferred = unary(answer(new Uint8Array()), 0);
const dataAt = 9 + headers.length;
const trailersAt = inferred.length - 9 - trailers.length;

function answerUnary(stream: number): Buffer {
  const bytes = Buffer.from(inferred);
  for (const at of [0, dataAt, trailersAt]) bytes.writeUInt32BE(stream, at + 5);
  return bytes;
}

function answerStream(stream: number, request: Buffer, isFirst: boolean): Buffer {
  const data = message(field(2, answer(requestId(request))));
  return Buffer.concat([
    ...(isFirst ? [frame(FRAME.headers, END_HEADERS, stream, headers)] : []),
    frame(FRAME.data, 0, stream, data),
  ]);
}

/** Field 3 of a ModelInferRequest, before which there are only short strings. */
function requestId(request: Buffer): Uint8Array {
  let at = 5;
  while (request[at] === 0x0a || request[at] === 0x12) at += 2 + (request[at + 1] ?? 0);
  return request[at] === 0x1a
    ? request.subarray(at + 2, at + 2 + (request[at + 1] ?? 0))
    : new Uint8Array();
}

const streams = process.argv[2] === 'streams';

function serve(socket: Socket): void {
  socket.on('error', () => {});
  socket.write(
    Buffer.concat([
      frame(FRAME.settings, 0, 0, new Uint8Array()),
      frame(FRAME.windowUpdate, 0, 0, Buffer.from([0x7f, 0xff, 0, 0])),
    ]),
  );
  const begun = new Set<number>();
  let rest: Buffer = Buffer.alloc(0);
  let skip = PREFACE_BYTES;
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const out: Buffer[] = [];
    let at = 0;
    if (bytes.length >= skip) {
      at = skip;
      skip = 0;
    }
    while (bytes.length - at >= 9) {
      const end = at + 9 + bytes.readUIntBE(at, 3);
      if (bytes.length < end) break;
      const flags = bytes.readUInt8(at + 4);
      const stream = bytes.readUInt32BE(at + 5);
      const payload = bytes.subarray(at + 9, end);
      const type = bytes[at + 3];
      if (type === FRAME.data) {
        // Only a request for the model's metadata is so short; the last frame of a request may be empty.
        if (payload.length > 0 && payload.length < 32) out.push(unary(metadata(), stream));
        else if (!streams && flags & END_STREAM) out.push(answerUnary(stream));
        else if (streams && payload.length > 0) {
          out.push(answerStream(stream, payload, !begun.has(stream)));
          begun.add(stream);
        }
      } else if ((type === FRAME.settings || type === FRAME.ping) && !(flags & ACK)) {
        out.push(frame(type, ACK, 0, type === FRAME.ping ? payload : new Uint8Array()));
      }
      at = end;
    }
    rest = bytes.subarray(at);
    if (out.length > 0) socket.write(Buffer.concat(out));
  });
}

const server = createServer({ noDelay: true }, serve);
server.listen(0, '127.0.0.1', () => {
  console.log(`127.0.0.1:${(server.address() as AddressInfo).port}`);
});
// It lives as long as whoever started it.
process.stdin.once('end', () => process.exit()).resume();
