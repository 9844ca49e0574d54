/** Runs are spread over so many channels, so that a gateway hears only of those that somebody watches there. */
const SHARDS = 64;

/** Where it is told whose work must stop: an array of run ids. */
export const HALTED_CHANNEL = 'hammerline:halted';

/** One of the array that a shard's message is. */
export interface RunChange {
  runId: string;
  /** Number of the run's last event. */
  version: number;
  isOver: boolean;
}

/** @param runId a UUID, whose last digits are random */
export function shardChannel(runId: string): string {
  return `hammerline:runs:${parseInt(runId.slice(-2), 16) % SHARDS}`;
}

/** Whether an item of a shard's message is one that this version can read. */
export function isRunChange(item: unknown): item is RunChange {
  return (
    typeof item === 'object' &&
    item !== null &&
    'runId' in item &&
    typeof item.runId === 'string' &&
    'version' in item &&
    typeof item.version === 'number' &&
    'isOver' in item &&
    typeof item.isOver === 'boolean'
  );
}
