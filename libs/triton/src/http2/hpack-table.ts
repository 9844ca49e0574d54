/** A header field; names are in lower case. */
export type Header = readonly [name: string, value: string];

/** RFC 7541, appendix A. */
const staticTable: readonly Header[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  ...['200', '204', '206', '304', '400', '404', '500'].map((it): Header => [':status', it]),
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ...[
    'accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control',
    'content-disposition content-encoding content-language content-length content-location content-range',
    'content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range',
    'if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range',
    'referer refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary',
    'via www-authenticate',
  ]
    .join(' ')
    .split(' ')
    .map((name): Header => [name, '']),
];

/** Of names that have several entries, the first. */
export const staticNames = new Map(
  staticTable.map(([name], at) => [name, at + 1] as const).toReversed(),
);
/** By `name\nvalue`. */
export const staticFields = new Map(
  staticTable.map(([name, value], at) => [`${name}\n${value}`, at + 1] as const),
);

/** What an entry counts beyond its texts: RFC 7541, 4.1. */
const entryOverhead = 32;
/** Bytes, as SETTINGS_HEADER_TABLE_SIZE counts them. */
export const defaultTableSize = 4096;

/** The table of both ends: the static entries, then the newest first, from 62. Held oldest first, so that adding is cheap. */
export class HeaderTable {
  #entries: Header[] = [];
  #size = 0;
  #limit: number;
  /** How many entries were ever dropped: what turns a position into a lasting number. */
  #dropped = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get added(): number {
    return this.#dropped + this.#entries.length;
  }

  get dropped(): number {
    return this.#dropped;
  }

  at(index: number): Header | undefined {
    return index <= staticTable.length
      ? staticTable[index - 1]
      : this.#entries[this.#entries.length - (index - staticTable.length)];
  }

  /** The index, today, of the entry that was added as the `number`-th (from 0). */
  indexOf(number: number): number {
    return staticTable.length + this.added - number;
  }

  add(field: Header): void {
    this.#entries.push(field);
    this.#size += sizeOf(field);
    this.#evict();
  }

  resize(limit: number): void {
    this.#limit = limit;
    this.#evict();
  }

  #evict(): void {
    let drop = 0;
    while (this.#size > this.#limit) this.#size -= sizeOf(this.#entries[drop++] ?? ['', '']);
    if (drop === 0) return;
    this.#entries.splice(0, drop);
    this.#dropped += drop;
  }
}

export function sizeOf([name, value]: Header): number {
  return name.length + value.length + entryOverhead;
}
