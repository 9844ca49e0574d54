import type { CallResult, ProbeResult } from '#libs/contracts';
import type { CallRecord } from '#libs/runs';
import { activeTraceparent, ATTR, failSpan, inSpan } from '#libs/telemetry';
import { type CallContext, executeCall, probeCall } from '#libs/tools';
import { SpanKind, type Span } from '@opentelemetry/api';
import type { CompiledToolset } from './toolset-reader.js';

/**
 * Makes a call as it stands in the ledger: with the arguments that a person may have changed, under the toolset that its
 * run was accepted with. Its arguments are checked once more.
 */
export async function makeCall(
  toolset: CompiledToolset,
  call: CallRecord,
  context: CallContext,
): Promise<CallResult> {
  const tool = toolset.tools.get(call.name);
  const faults = toolset.validate(call);
  if (!tool || faults.length > 0) {
    const message = faults.map(({ pointer, detail }) => `${pointer || '/'} ${detail}`).join('; ');
    return { state: 'failed', error: { code: 'invalid_arguments', message } };
  }
  return inCallSpan('execute_tool', call, tool.description, async (span) => {
    const outcome = await executeCall(tool, call, {
      ...context,
      traceparent: activeTraceparent(),
    });
    span.setAttribute(ATTR.callState, outcome.state);
    if (outcome.state !== 'succeeded') failSpan(span, outcome.error.code);
    return outcome;
  });
}

/** Asks the tool of a call what became of it. */
export async function findOut(
  toolset: CompiledToolset,
  call: CallRecord,
  context: CallContext,
): Promise<ProbeResult> {
  const tool = toolset.tools.get(call.name);
  if (!tool) return { state: 'unclear', reason: `its toolset has no ${call.name}` };
  return inCallSpan('probe_tool', call, tool.description, async (span) => {
    const found = await probeCall(tool, call, { ...context, traceparent: activeTraceparent() });
    span.setAttribute(ATTR.callState, found.state);
    return found;
  });
}

function inCallSpan<T>(
  operation: 'execute_tool' | 'probe_tool',
  call: CallRecord,
  description: string,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  return inSpan(
    `${operation} ${call.name}`,
    {
      kind: SpanKind.INTERNAL,
      attributes: {
        [ATTR.genAiOperation]: operation,
        [ATTR.genAiToolName]: call.name,
        [ATTR.genAiToolCallId]: call.id,
        [ATTR.genAiToolDescription]: description,
        [ATTR.genAiToolType]: 'function',
        [ATTR.effect]: call.effect,
        [ATTR.attempt]: call.attempt,
      },
    },
    work,
  );
}
