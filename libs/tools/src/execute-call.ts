import { HammerlineError, type CallResult } from '#libs/contracts';
import { runBuiltin } from './builtin.js';
import { failed, readJson, tooLarge } from './call-result.js';
import { failureOf } from './failure.js';
import { callHttp } from './http.js';
import type { Environment } from './http-request.js';
import type { ExecutorSpec, Tool } from './toolset.js';

export interface CallContext {
  /** Variables that a toolset's `${VAR}` stand for. */
  env: Environment;
  /** Folder of the files that builtin tools work on. */
  filesDir: string;
  /** Ends the call: no effect begins after it is aborted. */
  signal?: AbortSignal | undefined;
  /** Asked as late as can be: right before the first byte of a request leaves, or a builtin tool begins. */
  mayStart?: (() => boolean) | undefined;
  traceparent?: string | undefined;
}

interface Call {
  id: string;
  arguments: Record<string, unknown>;
}

/**
 * Makes one call, whose arguments have been validated, within the tool's timeout and result cap. Never throws: a
 * failing tool is a result. Never tries twice. `failed` means that the call took no effect or that doing it again does
 * no harm; its `mayRetry` says whether that may go better. A result over the cap fails a `read` call only. A call that
 * `signal` or `mayStart` ended has the code `cancelled`, and `not_sent` where nothing had begun.
 */
export async function executeCall(
  tool: Tool,
  call: Call,
  context: CallContext,
): Promise<CallResult> {
  const deadline = AbortSignal.timeout(tool.timeoutMs);
  const signal = AbortSignal.any([deadline, ...(context.signal ? [context.signal] : [])]);
  const { executor } = tool;
  try {
    switch (executor?.kind) {
      case undefined:
        return failed('no_executor', `the tool ${tool.name} has no executor`);
      case 'http':
        return await callHttp(tool, executor, call, { ...context, signal });
      case 'builtin':
        return await callBuiltin(tool, executor, call, { ...context, signal });
    }
  } catch (error) {
    const code = error instanceof HammerlineError ? error.code : 'tool_failed';
    return failed(code, error instanceof Error ? error.message : String(error));
  }
}

/** What a builtin tool throws, it throws before it takes effect. */
async function callBuiltin(
  { maxResultBytes, effect }: Tool,
  { name, options }: Extract<ExecutorSpec, { kind: 'builtin' }>,
  call: Call,
  { filesDir, signal, mayStart = () => true }: CallContext & { signal: AbortSignal },
): Promise<CallResult> {
  if (!mayStart()) return failed('cancelled', 'not sent: it may not start any more', 'not_sent');
  let result: unknown;
  try {
    result = await runBuiltin(name, options, call.arguments, { callId: call.id, filesDir, signal });
  } catch (error) {
    const { code, reason } = failureOf(signal, error);
    if (code !== 'tool_failed') return failed(code, reason, 'not_sent');
    throw error;
  }
  const text = JSON.stringify(result) ?? 'null';
  return Buffer.byteLength(text) > maxResultBytes
    ? tooLarge(effect, maxResultBytes, text)
    : { state: 'succeeded', result: readJson(text) };
}
