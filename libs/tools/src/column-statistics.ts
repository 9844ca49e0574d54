import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { HammerlineError } from '#libs/contracts';

export const STATISTICS = ['mean', 'median', 'sum', 'min', 'max'] as const;
export type Statistic = (typeof STATISTICS)[number];

/** A median needs all values at once; 8 MB of them. */
const maxRows = 1_000_000;
const maxRowBytes = 1_048_576;

/**
 * A statistic over one column of a CSV file with a header. Empty cells do not count.
 *
 * @returns its value, and the number of rows that counted
 * @throws HammerlineError `tool_failed` for an unknown column (naming the columns), a cell that is no number, no row
 */
export async function columnStatistics(
  file: string,
  column: string,
  statistic: Statistic,
  signal: AbortSignal,
): Promise<{ value: number; rows: number }> {
  const values: number[] = [];
  await pipeline(
    createReadStream(file),
    parse({ bom: true, trim: true, skip_empty_lines: true, max_record_size: maxRowBytes }),
    async (rows: AsyncIterable<string[]>) => {
      let index: number | undefined;
      let line = 1;
      for await (const row of rows) {
        if (index === undefined) {
          index = findColumn(row, column);
          continue;
        }
        line++;
        const cell = row[index] ?? '';
        if (cell === '') continue;
        const value = Number(cell);
        if (!Number.isFinite(value)) {
          const shown = JSON.stringify(cell.slice(0, 40));
          throw failure(`row ${line} of column ${column} holds ${shown}, which is no number`);
        }
        if (values.push(value) > maxRows) throw failure(`the table has over ${maxRows} rows`);
      }
    },
    { signal },
  );
  if (values.length === 0) throw failure(`column ${column} holds no numbers`);
  return { value: compute[statistic](values), rows: values.length };
}

const compute: Record<Statistic, (values: number[]) => number> = {
  sum,
  mean: (values) => sum(values) / values.length,
  median(values) {
    const sorted = values.toSorted((a, b) => a - b);
    const middle = sorted.length >> 1;
    const upper = sorted[middle] ?? Number.NaN;
    return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
  },
  min: (values) => values.reduce((least, value) => Math.min(least, value)),
  max: (values) => values.reduce((most, value) => Math.max(most, value)),
};

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function findColumn(header: string[], column: string): number {
  const index = header.indexOf(column);
  if (index < 0)
    throw failure(`there is no column ${column}; the columns are: ${header.join(', ')}`);
  return index;
}

function failure(message: string): HammerlineError {
  return new HammerlineError('tool_failed', message);
}
