import { tooLarge } from '../too-large.js';

const LF = 10;
const CR = 13;
const COLON = 58;
const SPACE = 32;
const NEWLINE = Buffer.from('\n');
const BOM = Buffer.from('\u{feff}');

/**
 * Reads a stream of server-sent events, cut anywhere, and gives the data of each event; their names and ids mean nothing to
 * Triton. https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export class EventReader {
  readonly #maxBytes: number;
  /** The beginning of a line whose end has not come yet. */
  #rest: Buffer[] = [];
  /** The data lines of the event that is being read. */
  #data: Buffer[] = [];
  /** Bytes of both. */
  #held = 0;
  #afterCr = false;
  #atStart = true;

  /** @param maxBytes of one event */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether the stream, if it ends here, ends within an event. */
  get partial(): boolean {
    return this.#held > 0;
  }

  /**
   * The events that this chunk completes.
   *
   * @throws TritonError `resource_exhausted` `too_large`
   */
  *read(chunk: Buffer): Generator<Buffer> {
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      // CR LF is one end of line, even where it is cut in two.
      if (byte === LF && this.#afterCr) start = at + 1;
      else if (byte === LF || byte === CR) {
        const event = this.#line(chunk.subarray(start, at));
        if (event !== undefined) yield event;
        start = at + 1;
      }
      this.#afterCr = byte === CR;
    }
    if (start < chunk.length) this.#hold(this.#rest, chunk.subarray(start));
  }

  #line(end: Buffer): Buffer | undefined {
    let line = end;
    if (this.#rest.length > 0) {
      line = Buffer.concat([...this.#rest, end]);
      this.#held -= line.length - end.length;
      this.#rest = [];
    }
    if (this.#atStart && line.subarray(0, BOM.length).equals(BOM)) line = line.subarray(BOM.length);
    this.#atStart = false;
    if (line.length === 0) return this.#event();
    const colon = line.indexOf(COLON);
    const name = line.toString('latin1', 0, colon < 0 ? line.length : colon);
    if (name !== 'data') return undefined;
    const value = colon < 0 ? line.subarray(line.length) : line.subarray(colon + 1);
    this.#hold(this.#data, value[0] === SPACE ? value.subarray(1) : value);
    return undefined;
  }

  #event(): Buffer | undefined {
    const [first, ...more] = this.#data;
    this.#data = [];
    this.#held = 0;
    if (first === undefined || more.length === 0) return first;
    return Buffer.concat([first, ...more.flatMap((line) => [NEWLINE, line])]);
  }

  #hold(place: Buffer[], bytes: Buffer): void {
    this.#held += bytes.length;
    if (this.#held > this.#maxBytes) throw tooLarge(this.#maxBytes);
    place.push(bytes);
  }
}
