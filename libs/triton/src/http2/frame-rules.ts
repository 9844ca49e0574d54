import { errorCode } from './error-codes.js';
import { flag, frameType } from './frames.js';
import { ProtocolError } from './protocol-error.js';

interface FrameRule {
  readonly name: string;
  /** Whether it speaks of a stream or of the connection; WINDOW_UPDATE does either. */
  readonly on?: 'stream' | 'connection';
  /** The only size that its payload may have. */
  readonly size?: number;
  /** The least that it may have. */
  readonly least?: number;
}

const rules: readonly (FrameRule | undefined)[] = (() => {
  const byType: (FrameRule | undefined)[] = [];
  byType[frameType.data] = { name: 'DATA', on: 'stream' };
  byType[frameType.headers] = { name: 'HEADERS', on: 'stream' };
  byType[frameType.rstStream] = { name: 'RST_STREAM', on: 'stream', size: 4 };
  byType[frameType.settings] = { name: 'SETTINGS', on: 'connection' };
  byType[frameType.pushPromise] = { name: 'PUSH_PROMISE', on: 'stream' };
  byType[frameType.ping] = { name: 'PING', on: 'connection', size: 8 };
  byType[frameType.goaway] = { name: 'GOAWAY', on: 'connection', least: 8 };
  byType[frameType.windowUpdate] = { name: 'WINDOW_UPDATE', size: 4 };
  byType[frameType.continuation] = { name: 'CONTINUATION', on: 'stream' };
  return byType;
})();

/**
 * Checks what RFC 9113, section 6, says of a frame whatever is in it: its size, and the stream that it may speak of.
 *
 * @param nextStream the lowest id that we have not used yet: the server cannot speak of one that is idle
 * @throws ProtocolError
 */
export function checkFrame(
  type: number,
  flags: number,
  stream: number,
  length: number,
  nextStream: number,
): void {
  const rule = rules[type];
  if (rule === undefined) return;
  const { name, on, size, least = 0 } = rule;
  if (
    on === undefined ? isIdle(stream, nextStream) && stream !== 0 : !isFor(on, stream, nextStream)
  )
    throw new ProtocolError(`${name} on stream ${stream}`);
  const fits = size === undefined ? length >= least : length === size;
  if (!fits || (type === frameType.settings && !isSettingsSize(flags, length)))
    throw new ProtocolError(`${name} of ${length} bytes`, errorCode.frameSize);
}

function isFor(on: 'stream' | 'connection', stream: number, nextStream: number): boolean {
  return on === 'connection' ? stream === 0 : !isIdle(stream, nextStream);
}

/** Also of the server's own streams, which it may not open: we refuse pushes. */
function isIdle(stream: number, nextStream: number): boolean {
  return stream >= nextStream || stream % 2 === 0;
}

function isSettingsSize(flags: number, length: number): boolean {
  return flags & flag.ack ? length === 0 : length % 6 === 0;
}
