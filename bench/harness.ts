import { availableParallelism, cpus, totalmem } from 'node:os';

/** One measured figure, as `--json` writes it. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  /** Median over the rounds. */
  readonly value: number;
  /** Median of what it is compared with, in the same unit and the same rounds. */
  readonly reference?: number;
  /** Median over the rounds of value and reference, the one divided by the other as the target says. */
  readonly ratio?: number;
  /** Least and greatest of the figure that the target judges: the ratio where there is one, else the value. */
  readonly range: readonly [number, number];
  /** Absent: the row is a report. */
  readonly target?: string | undefined;
  readonly met?: boolean | undefined;
}

export interface BenchOptions {
  /** Few rounds of little work: does it run and give sane numbers? */
  readonly smoke: boolean;
}

export interface Bench {
  readonly name: string;
  /** What it measures and how, for `--help`. */
  readonly about: string;
  readonly run: (options: BenchOptions) => Promise<Row[]>;
}

/** What a target demands of the judged figure. */
export interface Target {
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** One round of some work; gives the figure of one operation in the row's unit. */
export type Measure = () => number | Promise<number>;

/** Measures in rounds and takes the median. */
export async function measure(
  name: string,
  unit: string,
  rounds: number,
  work: Measure,
  target?: Target,
): Promise<Row> {
  const values: number[] = [];
  for (let round = 0; round < rounds; round++) values.push(await work());
  return judged({ name, unit, value: median(values), range: rangeOf(values) }, target);
}

/**
 * Measures product and reference in turn, so that a busy neighbour slows both; `ratio` says from the two figures of one
 * round how the product stands.
 */
export async function compare(
  name: string,
  unit: string,
  rounds: number,
  work: {
    product: Measure;
    reference: Measure;
    ratio: (product: number, reference: number) => number;
  },
  target?: Target,
): Promise<Row> {
  const products: number[] = [];
  const references: number[] = [];
  for (let round = 0; round < rounds; round++) {
    products.push(await work.product());
    references.push(await work.reference());
  }
  const ratios = products.map((product, at) => work.ratio(product, references[at] ?? NaN));
  const row = {
    name,
    unit,
    value: median(products),
    reference: median(references),
    ratio: median(ratios),
    range: rangeOf(ratios),
  };
  return judged(row, target);
}

/** Microseconds that one of `times` calls takes. A text is read: V8 puts its parts together no sooner. */
export function microseconds(times: number, work: () => unknown): number {
  let sum = 0;
  const start = process.hrtime.bigint();
  for (let at = 0; at < times; at++) {
    const result = work();
    sum += typeof result === 'string' ? result.charCodeAt(result.length - 1) : 1;
  }
  const took = Number(process.hrtime.bigint() - start) / 1_000 / times;
  // Used, so that no optimiser may leave the work out.
  if (sum < 0) throw new Error('unreachable');
  return took;
}

function judged(row: Omit<Row, 'target' | 'met'>, target: Target | undefined): Row {
  if (target === undefined) return row;
  const figure = row.ratio ?? row.value;
  const { atMost = Infinity, atLeast = -Infinity } = target;
  const sign = row.ratio === undefined ? ` ${row.unit}` : ' ×';
  const text = Number.isFinite(atMost) ? `≤ ${atMost}${sign}` : `≥ ${atLeast}${sign}`;
  return { ...row, target: text, met: figure <= atMost && figure >= atLeast };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

function rangeOf(values: readonly number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)];
}

export function machine(): Record<string, unknown> {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
  };
}
