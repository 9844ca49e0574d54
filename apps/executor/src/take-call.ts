import { randomUUID } from 'node:crypto';
import { HammerlineError, type CallResult, type ResolvedCall } from '#libs/contracts';
import type { CallRecord, Runs } from '#libs/runs';
import { activeTraceparent, ATTR, failSpan, inSpan, type Logger } from '#libs/telemetry';
import { compileValidators, executeCall, type Tool, type Toolset } from '#libs/tools';
import { SpanKind } from '@opentelemetry/api';
import { LRUCache } from 'lru-cache';

interface CompiledToolset {
  tools: ReadonlyMap<string, Tool>;
  validate(call: ResolvedCall): { pointer: string; detail: string }[];
}

/** Makes the function that makes the call a hint tells of, if it is still to be made: the ledger decides that. */
export function createCallTaker(deps: {
  runs: Runs;
  /** Where `${VAR}` in URLs and headers of tools is looked up. */
  env: NodeJS.ProcessEnv;
  filesDir: string;
  log: Logger;
}): (hint: { runId: string; callId: string }) => Promise<void> {
  const { runs, env, filesDir, log } = deps;
  const compiled = new LRUCache<string, CompiledToolset>({ max: 256 });

  const toolsetOf = async (hash: string): Promise<CompiledToolset> => {
    let toolset = compiled.get(hash);
    if (!toolset) {
      const { tools } = (await runs.engine.ledger.toolset(hash)) as Toolset;
      toolset = {
        tools: new Map(tools.map((tool) => [tool.name, tool])),
        validate: compileValidators(tools).validate,
      };
      compiled.set(hash, toolset);
    }
    return toolset;
  };

  const execute = async (toolsetHash: string, call: CallRecord): Promise<CallResult> => {
    const toolset = await toolsetOf(toolsetHash);
    const tool = toolset.tools.get(call.name);
    const faults = toolset.validate(call);
    if (!tool || faults.length > 0) {
      const message = faults.map(({ pointer, detail }) => `${pointer || '/'} ${detail}`).join('; ');
      return { state: 'failed', error: { code: 'invalid_arguments', message } };
    }
    return inSpan(
      `execute_tool ${call.name}`,
      {
        kind: SpanKind.INTERNAL,
        attributes: {
          [ATTR.genAiOperation]: 'execute_tool',
          [ATTR.genAiToolName]: call.name,
          [ATTR.genAiToolCallId]: call.id,
          [ATTR.genAiToolDescription]: tool.description,
          [ATTR.genAiToolType]: 'function',
          [ATTR.effect]: call.effect,
          [ATTR.attempt]: call.attempt,
        },
      },
      async (span) => {
        const outcome = await executeCall(tool, call, {
          env,
          filesDir,
          traceparent: activeTraceparent(),
        });
        span.setAttribute(ATTR.callState, outcome.state);
        if (outcome.state !== 'succeeded') failSpan(span, outcome.error.code);
        return outcome;
      },
    );
  };

  return async ({ runId, callId }) => {
    // A process whose heartbeats fail would claim, be doubted and claim again: it leaves the call to the sweep.
    if (!runs.epoch.isFresh()) return;
    const token = randomUUID();
    const claim = await runs.engine.apply(runId, {
      type: 'call.claim',
      callId,
      holder: runs.epoch.id,
      token,
    });
    const call = claim.refused ? undefined : claim.run.calls.find(({ id }) => id === callId);
    if (claim.refused || call?.token !== token) {
      log.debug({ runId, callId, refused: claim.refused }, 'nothing to claim');
      return;
    }
    // A process that was stopped since the claim may have been declared dead: it must start no effect.
    if (!runs.epoch.isFresh()) {
      const released = await runs.engine.apply(runId, { type: 'call.release', callId, token });
      log.warn({ runId, callId, refused: released.refused }, 'stale before the call; released it');
      return;
    }
    log.info({ runId, callId, tool: call.name, attempt: call.attempt }, 'call claimed');
    const result = await execute(claim.run.toolsetHash, call).catch(
      (error: unknown): CallResult => ({
        // What executes a tool never throws: this broke before anything was sent.
        state: 'failed',
        error: {
          code: error instanceof HammerlineError ? error.code : 'internal',
          message: `not sent: ${error instanceof Error ? error.message : String(error)}`,
        },
      }),
    );
    const settle = (came: CallResult): ReturnType<typeof runs.engine.apply> =>
      runs.engine.apply(runId, { type: 'call.settle', callId, token, result: came });
    const settled = await settle(result).catch((error: unknown) => {
      log.error({ err: error, runId, callId }, 'the ledger refused a result');
      const state = call.effect === 'once' ? 'outcome_unknown' : 'failed';
      const message = 'The call was made, but its result could not be recorded.';
      return settle({ state, error: { code: 'internal', message } });
    });
    const refused = settled.refused;
    if (refused) log.warn({ runId, callId, refused }, 'the result changed nothing');
    else log.info({ runId, callId, tool: call.name, state: result.state }, 'call settled');
  };
}
