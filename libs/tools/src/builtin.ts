import path from 'node:path';
import { z } from 'zod';
import { HammerlineError } from '#libs/contracts';
import { appendSection } from './append-section.js';
import { columnStatistics, STATISTICS } from './column-statistics.js';

/** What a builtin tool may know of the call beside its arguments. */
export interface BuiltinContext {
  callId: string;
  /** The folder that `options.file` is relative to. */
  filesDir: string;
  /** Once it is aborted, nothing may begin to take effect. */
  signal: AbortSignal;
}

interface Builtin {
  /** What is wrong with the options in a toolset file, or undefined. */
  optionsProblem(options: unknown): string | undefined;
  /** Throws only if the call has not taken effect. */
  run(options: unknown, args: unknown, context: BuiltinContext): Promise<unknown>;
}

const fileOptions = z.strictObject({
  file: z.string().min(1).refine(isInside, 'must be a path inside the files folder'),
});

const appendSectionArguments = z.strictObject({
  heading: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .regex(/^\P{Cc}*$/u, 'must be a single line'),
  text: z.string().max(100_000),
});

const columnStatisticsArguments = z.strictObject({
  column: z.string(),
  statistic: z.enum(STATISTICS),
});

const builtins = {
  'document.append_section': define(
    fileOptions,
    appendSectionArguments,
    async ({ file }, { heading, text }, { callId, filesDir, signal }) => {
      signal.throwIfAborted();
      appendSection(path.join(filesDir, file), callId, { heading, text });
      return { file, heading, words: text.split(/\s+/).filter(Boolean).length };
    },
  ),
  'table.column_statistics': define(
    fileOptions,
    columnStatisticsArguments,
    async ({ file }, { column, statistic }, { filesDir, signal }) => {
      const found = await columnStatistics(path.join(filesDir, file), column, statistic, signal);
      return { column, statistic, ...found };
    },
  ),
} satisfies Record<string, Builtin>;

export type BuiltinName = keyof typeof builtins;

export const builtinNames = Object.keys(builtins) as [BuiltinName, ...BuiltinName[]];

/** What is wrong with the options of a builtin tool in a toolset file, or undefined. */
export function builtinOptionsProblem(name: BuiltinName, options: unknown): string | undefined {
  return builtins[name].optionsProblem(options);
}

/**
 * Runs a builtin tool. It checks its options and arguments itself: the schema that the model sees is the toolset's.
 *
 * @throws HammerlineError or a system error; in each case the call has not taken effect
 */
export function runBuiltin(
  name: BuiltinName,
  options: unknown,
  args: unknown,
  context: BuiltinContext,
): Promise<unknown> {
  return builtins[name].run(options, args, context);
}

function define<Options, Arguments>(
  optionsSchema: z.ZodType<Options>,
  argumentsSchema: z.ZodType<Arguments>,
  run: (options: Options, args: Arguments, context: BuiltinContext) => Promise<unknown>,
): Builtin {
  return {
    optionsProblem(options) {
      const { error } = optionsSchema.safeParse(options ?? {});
      return error && describe(error);
    },
    async run(options, args, context) {
      const checked = argumentsSchema.safeParse(args);
      if (!checked.success) throw new HammerlineError('invalid_arguments', describe(checked.error));
      return run(optionsSchema.parse(options ?? {}), checked.data, context);
    },
  };
}

function describe(error: z.ZodError): string {
  return error.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`).join('; ');
}

/** Whether a path stays in the folder that it is relative to. Also refuses the backslash, a separator elsewhere. */
function isInside(file: string): boolean {
  return !path.isAbsolute(file) && !/[\\\0]/.test(file) && !file.split('/').includes('..');
}
