import { createHash } from 'node:crypto';
import {
  Budget,
  DEFAULT_EXPIRES_IN_S,
  HammerlineError,
  invalidRequest,
  RunRequest,
  type Run,
  type RunMode,
} from '#libs/contracts';
import { traceIdOf } from '#libs/telemetry';
import { shownQuery, type NewRun } from '#libs/runs';
import { inlineToolset, readTools, toolsWithoutExecutor, type Toolset } from '#libs/tools';
import { v7 as uuidv7 } from 'uuid';
import { readBody } from './problem.js';

/** Longest Idempotency-Key, in characters. */
const MAX_KEY_LENGTH = 255;

/**
 * Checks a request and makes the run that the ledger will accept; all faults are found before anything is written.
 *
 * @param traceparent of the span that accepts the run: the root of the run's trace
 */
export function newRun(
  body: unknown,
  options: {
    tenantId: string;
    toolsets: ReadonlyMap<string, Toolset>;
    idempotencyKey: string | undefined;
    traceparent: string;
  },
): NewRun {
  const request = readBody(RunRequest, body);
  const toolset = chooseToolset(request, options.toolsets);
  const mode = request.mode ?? (request.toolset === undefined ? 'resolve' : 'execute');
  requireExecutors(toolset, mode);
  const messages = request.messages ?? [{ role: 'user', content: request.query ?? '' }];
  return {
    id: uuidv7(),
    tenantId: options.tenantId,
    mode,
    until: request.until ?? 'calls',
    budget: request.budget ?? Budget.parse({}),
    mask: request.mask ?? toolset.mask,
    priority: request.priority ?? 0,
    cost: estimateTokens(messages, toolset),
    expiresInS: request.expiresInS ?? DEFAULT_EXPIRES_IN_S,
    toolset: { name: toolset.name, hash: toolset.hash, body: toolset },
    messages,
    traceparent: options.traceparent,
    idempotency: idempotencyOf(options.idempotencyKey, body),
  };
}

/** A run that was just accepted, as a client sees it, without asking the ledger. */
export function queuedRun(run: NewRun): Run {
  return {
    id: run.id,
    state: 'queued',
    mode: run.mode,
    toolset: run.toolset.name,
    query: shownQuery(run.messages),
    calls: [],
    traceId: traceIdOf(run.traceparent),
    priority: run.priority,
    createdAt: new Date().toISOString(),
    deadline: new Date(Date.now() + run.expiresInS * 1_000).toISOString(),
  };
}

/** What a turn will cost, roughly: four characters are about one token of a prompt. */
function estimateTokens(messages: NewRun['messages'], toolset: Toolset): number {
  return Math.ceil((JSON.stringify(messages).length + JSON.stringify(toolset.tools).length) / 4);
}

function chooseToolset(request: RunRequest, toolsets: ReadonlyMap<string, Toolset>): Toolset {
  if (request.tools) return inlineToolset(readTools(request.tools));
  const name = request.toolset ?? '';
  const toolset = toolsets.get(name);
  if (toolset) return toolset;
  const known = [...toolsets.keys()].join(', ') || 'none';
  throw new HammerlineError('unknown_toolset', `There is no toolset ${JSON.stringify(name)}.`, {
    faults: [{ pointer: '/toolset', detail: 'names no toolset', mend: `Known are: ${known}.` }],
  });
}

function requireExecutors(toolset: Toolset, mode: RunMode): void {
  if (mode !== 'execute') return;
  const names = toolsWithoutExecutor(toolset);
  if (names.length === 0) return;
  throw new HammerlineError('no_executor', `No executor is known for: ${names.join(', ')}.`, {
    faults: [
      {
        pointer: '/mode',
        detail: `cannot be \`execute\`: no executor is known for ${names.join(', ')}`,
        mend: 'Use mode `resolve`, or put the tools into a toolset file that says how to call them.',
      },
    ],
  });
}

/** @param body as it was sent: with our defaults in it, a release that changes one would take a repetition for another body */
function idempotencyOf(key: string | undefined, body: unknown): NewRun['idempotency'] {
  if (key === undefined) return undefined;
  if (key === '' || key.length > MAX_KEY_LENGTH || !/^[\x21-\x7e]+$/.test(key)) {
    throw invalidRequest({
      pointer: '',
      detail: 'the header Idempotency-Key is not valid',
      mend: `Give 1 to ${MAX_KEY_LENGTH} visible ASCII characters, such as a UUID.`,
    });
  }
  return { key, bodyHash: createHash('sha256').update(JSON.stringify(body)).digest() };
}
