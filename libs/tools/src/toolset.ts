import { createHash } from 'node:crypto';
import {
  type Approval,
  APPROVALS,
  type Effect,
  EFFECTS,
  HammerlineError,
  MaskMode,
  type ToolDefinition,
} from '#libs/contracts';
import { z } from 'zod';
import { builtinNames, builtinOptionsProblem } from './builtin.js';
import {
  HTTP_METHODS,
  headerProblem,
  type ProbeSpec,
  STATUS_MEANINGS,
  urlProblem,
} from './http-request.js';
import { readTools } from './read-tools.js';

const httpPlace = {
  url: z.string().max(2_048),
  headers: z.record(z.string(), z.string().max(8_192)).optional(),
};
const httpStatus = z.string().regex(/^[2-5]\d\d$/, 'must be a status from 200 to 599');

const executorSpec = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('builtin'),
    name: z.enum(builtinNames),
    options: z.record(z.string(), z.unknown()).optional(),
  }),
  z.strictObject({
    kind: z.literal('http'),
    method: z.enum(HTTP_METHODS),
    ...httpPlace,
    statuses: z.record(httpStatus, z.enum(STATUS_MEANINGS)).optional(),
  }),
]);
/** What carries out a tool's calls. */
export type ExecutorSpec = z.infer<typeof executorSpec>;

const toolPolicy = z.strictObject({
  effect: z.enum(EFFECTS).optional(),
  approval: z.enum(APPROVALS).default('never'),
  executor: executorSpec.optional(),
  probe: z.strictObject(httpPlace).optional(),
  timeoutMs: z.int().min(1).max(300_000).default(10_000),
  maxResultBytes: z.int().min(1).max(1_048_576).default(65_536),
});

const toolsetFile = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().regex(/^[A-Za-z0-9][\w.-]{0,127}$/, 'must be letters, digits, ".", "_", "-"'),
  version: z.string().min(1).max(64),
  description: z.string().max(10_000).default(''),
  mask: MaskMode.default('auto'),
  tools: z.array(z.looseObject({})).min(1).max(128),
});

/** A tool and the policy of its calls: time in milliseconds, sizes in bytes. Without an executor: only resolved. */
export interface Tool extends ToolDefinition {
  effect: Effect;
  /** Whose calls wait for a person. */
  approval: Approval;
  executor?: ExecutorSpec;
  /** Asks the tool what became of a call whose outcome is unknown. */
  probe?: ProbeSpec;
  timeoutMs: number;
  maxResultBytes: number;
}

export interface Toolset {
  name: string;
  version: string;
  description: string;
  /** Whether its names are hidden from the model in runs that do not say. */
  mask: MaskMode;
  /** SHA-256 (hex) of all the rest: equal toolsets compile to equal validators, masks, grammars and prompts. */
  hash: string;
  tools: Tool[];
}

/**
 * Reads a toolset from the JSON value of a toolset file.
 *
 * @throws HammerlineError `config_invalid`, one line that names the fields and how to mend them
 */
export function readToolset(input: unknown): Toolset {
  const file = toolsetFile.safeParse(input);
  if (!file.success) throw invalid(issuesOf(file.error, ''));
  const { name, version, description, mask, tools } = file.data;
  const policyKeys = Object.keys(toolPolicy.shape);
  const policies = tools.map((tool, index) => {
    const own = Object.entries(tool).filter(([key]) => policyKeys.includes(key));
    return { index, read: toolPolicy.safeParse(Object.fromEntries(own)) };
  });
  const definitions = readDefinitions(
    tools.map((tool) =>
      Object.fromEntries(Object.entries(tool).filter(([key]) => !policyKeys.includes(key))),
    ),
  );
  const problems = policies.flatMap(({ index, read }) =>
    read.error ? issuesOf(read.error, `/tools/${index}`) : [],
  );
  problems.unshift(...definitions.problems);
  const merged = policies.flatMap(({ index, read }) => {
    const definition = definitions.tools[index];
    if (!read.success || definition === undefined) return [];
    const { executor, probe, approval, timeoutMs, maxResultBytes } = read.data;
    const effect = read.data.effect ?? defaultEffect(executor);
    problems.push(
      ...(executor ? executorProblems(executor, definition, `/tools/${index}/executor`) : []),
      ...(probe ? probeProblems(probe, effect, definition, `/tools/${index}/probe`) : []),
    );
    const made = { ...(executor && { executor }), ...(probe && { probe }) };
    return [{ ...definition, effect, approval, ...made, timeoutMs, maxResultBytes }];
  });
  if (problems.length > 0) throw invalid(problems);
  return withHash({ name, version, description, mask, tools: merged });
}

/** The toolset that tools given within a request form: nothing can execute them. */
export function inlineToolset(tools: readonly ToolDefinition[]): Toolset {
  const policy = {
    effect: 'once',
    approval: 'never',
    timeoutMs: 10_000,
    maxResultBytes: 65_536,
  } as const;
  return withHash({
    name: 'inline',
    version: '1',
    description: '',
    mask: 'auto',
    tools: tools.map((tool) => ({ ...tool, ...policy })),
  });
}

/** The names of the tools whose calls nothing can execute. */
export function toolsWithoutExecutor(toolset: Toolset): string[] {
  return toolset.tools.filter((tool) => tool.executor === undefined).map((tool) => tool.name);
}

/** Key order counts: it decides in which order the model reads the parameters. */
function withHash(content: Omit<Toolset, 'hash'>): Toolset {
  const { name, version, description, mask, tools } = content;
  const hash = createHash('sha256').update(JSON.stringify(content)).digest('hex');
  return { name, version, description, mask, hash, tools };
}

function defaultEffect(executor: ExecutorSpec | undefined): Effect {
  return executor?.kind === 'http' && executor.method === 'GET' ? 'read' : 'once';
}

function readDefinitions(tools: unknown[]): { tools: ToolDefinition[]; problems: string[] } {
  try {
    return { tools: readTools(tools), problems: [] };
  } catch (error) {
    if (!(error instanceof HammerlineError)) throw error;
    const problems = error.faults.map(
      ({ pointer, detail, mend }) =>
        `${pointer} ${detail}${mend === undefined ? '' : ` (${mend})`}`,
    );
    return { tools: [], problems };
  }
}

function executorProblems(executor: ExecutorSpec, tool: ToolDefinition, at: string): string[] {
  if (executor.kind === 'builtin') {
    const problem = builtinOptionsProblem(executor.name, executor.options);
    return problem === undefined ? [] : [`${at}/options ${problem}`];
  }
  return placeProblems(executor, tool, at);
}

function probeProblems(
  probe: ProbeSpec,
  effect: Effect,
  tool: ToolDefinition,
  at: string,
): string[] {
  const needless = `${at} is for calls that must not happen twice, and this tool is ${JSON.stringify(effect)}; leave it out`;
  return [...(effect === 'once' ? [] : [needless]), ...placeProblems(probe, tool, at)];
}

function placeProblems(
  { url, headers = {} }: ProbeSpec,
  tool: ToolDefinition,
  at: string,
): string[] {
  const problem = urlProblem(url, tool.parameters);
  const faults = Object.entries(headers).flatMap(([name, value]) => {
    const fault = headerProblem(name, value);
    return fault === undefined ? [] : [`${at}/headers/${name} ${fault}`];
  });
  return problem === undefined ? faults : [`${at}/url ${problem}`, ...faults];
}

function issuesOf(error: z.ZodError, at: string): string[] {
  return error.issues.map((issue) => {
    const pointer = [at, ...issue.path.map((step) => `/${String(step)}`)].join('');
    // Of a member's name, the issue itself only says that it is wrong.
    const { message } = (issue.code === 'invalid_key' ? issue.issues[0] : undefined) ?? issue;
    return `${pointer === '' ? 'the file' : pointer} ${message}`;
  });
}

function invalid(problems: string[]): HammerlineError {
  const more = problems.length > 5 ? [`and ${problems.length - 5} more`] : [];
  return new HammerlineError('config_invalid', [...problems.slice(0, 5), ...more].join('; '));
}
