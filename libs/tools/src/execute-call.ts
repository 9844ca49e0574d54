import { HammerlineError, type CallResult } from '#libs/contracts';
import { runBuiltin } from './builtin.js';
import { failed, readJson, tooLarge } from './call-result.js';
import { callHttp } from './http.js';
import type { Environment } from './http-request.js';
import type { Tool } from './toolset.js';

export interface CallContext {
  /** Variables that a toolset's `${VAR}` stand for. */
  env: Environment;
  /** Folder of the files that builtin tools work on. */
  filesDir: string;
  /** Ends the call: no effect begins after it is aborted. */
  signal?: AbortSignal | undefined;
  traceparent?: string | undefined;
}

/**
 * Makes one call, whose arguments have been validated, within the tool's timeout and result cap. Never throws: a
 * failing tool is a result. Never tries twice. `failed` means that the call took no effect or that doing it again does
 * no harm; a result over the cap fails a `read` call only.
 */
export async function executeCall(
  tool: Tool,
  call: { id: string; arguments: Record<string, unknown> },
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
      case 'builtin': {
        const { filesDir } = context;
        const { name, options } = executor;
        const result = await runBuiltin(name, options, call.arguments, {
          callId: call.id,
          filesDir,
          signal,
        });
        const text = JSON.stringify(result) ?? 'null';
        return Buffer.byteLength(text) > tool.maxResultBytes
          ? tooLarge(tool.effect, tool.maxResultBytes, text)
          : { state: 'succeeded', result: readJson(text) };
      }
    }
  } catch (error) {
    if (deadline.aborted) return failed('tool_timeout', `no result within ${tool.timeoutMs} ms`);
    const code = error instanceof HammerlineError ? error.code : 'tool_failed';
    return failed(code, error instanceof Error ? error.message : String(error));
  }
}
