import { type HammerlineError, invalidRequest } from '#libs/contracts';
import { getMember, isDict } from '#libs/pyjson';

/** Levels of JSON that all of this library can walk without filling the stack. Python stops at about twice as many. */
const maxLevels = 500;

/** The fault of the first tool that nests too deeply to be walked, or holds itself. */
export function deepToolFault(tools: readonly unknown[]): HammerlineError | undefined {
  const index = tools.findIndex((tool) => nestsDeeper(tool, maxLevels));
  if (index < 0) return undefined;
  const tool = tools[index];
  const member = (key: string): unknown => (isDict(tool) ? getMember(tool, key) : undefined);
  const isParameters = nestsDeeper(member('parameters'), maxLevels - 1);
  const name = member('name');
  return invalidRequest({
    pointer: `/tools/${index}${isParameters ? '/parameters' : ''}`,
    detail: `tool ${index}${typeof name === 'string' ? ` ('${name}')` : ''} nests deeper than ${maxLevels} levels, or holds itself`,
    mend: 'simplify it, or put what repeats into $defs and refer to it with $ref',
  });
}

/** Runs what walks tools. Where the stack is too small for that, the fault names the tool. */
export function walkTools<T>(tools: unknown, walk: () => T): T {
  try {
    return walk();
  } catch (error) {
    const isDeep = error instanceof RangeError && Array.isArray(tools);
    throw (isDeep && deepToolFault(tools)) || error;
  }
}

function nestsDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const members: unknown[] =
    value instanceof Map ? [...(value as Map<string, unknown>).values()] : Object.values(value);
  return levels === 0 || members.some((member) => nestsDeeper(member, levels - 1));
}
