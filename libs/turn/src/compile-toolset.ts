import { createHash } from 'node:crypto';
import {
  invalidRequest,
  type Message,
  type ResolvedCall,
  type ToolDefinition,
} from '#libs/contracts';
import {
  compileConstraint,
  compilePrompt,
  completeTools,
  type Constraint,
  inlineReferences,
  type Parser,
  type Prompt,
  readAnswer,
  type ServingFlavour,
} from '#libs/hammer';
import { type Masking, type MaskOptions, maskTools } from '#libs/masking';
import { compileValidators } from '#libs/tools';
import { showMessages } from './show-messages.js';

export interface ToolsetOptions {
  /** The prompt that the model was trained on. */
  flavour: ServingFlavour;
  /** Most calls in one answer. */
  maxCalls: number;
  /** Absent: the model sees the real names. Equal keys and tools give equal prompts. */
  mask?: MaskOptions | undefined;
}

/** What an answer of the model says, under the tools' real names; its calls are valid under their schemas. */
export type TurnAnswer =
  /** `written` are the same calls as the model wrote them. */
  | {
      outcome: 'calls';
      parser: Parser;
      calls: readonly ResolvedCall[];
      written: readonly ResolvedCall[];
    }
  /** No tool fits. */
  | { outcome: 'irrelevant'; parser: Parser }
  /** The request lacks what required parameters of a tool need. */
  | { outcome: 'needs_input'; parser: Parser; tool: string; parameters: readonly string[] }
  /** Words, and no call. */
  | { outcome: 'answer'; text: string }
  /** `reason` is for the model, in the names that it saw; `message` is for people. */
  | { outcome: 'invalid'; reason: string; message: string };

/** A toolset made ready for a model. Costs up to milliseconds: keep it, by content hash and options. */
export interface CompiledToolset {
  /** Absent where the model sees the real names. */
  masking: Masking | undefined;
  constraint: Constraint;
  /** The same text for equal toolsets and options, in every process: their prompts begin alike. */
  affinity: string;
  prompt: (messages: readonly Message[]) => Prompt;
  /** Parses an answer, unmasks its calls and validates them. */
  read: (text: string) => TurnAnswer;
}

/**
 * The pure part of a turn: tools → mask → prompt and constraint; then answer → parse → unmask → validate.
 *
 * @param tools as `readTools` gives them
 */
export function compileToolset(
  tools: readonly ToolDefinition[],
  { flavour, maxCalls, mask }: ToolsetOptions,
): CompiledToolset {
  const masking = mask && maskTools(tools, mask);
  const shown = masking?.tools ?? tools.map(definitionOf);
  const prompt = compilePrompt(flavour, promptTools(flavour, shown));
  if (prompt === undefined) {
    throw invalidRequest({ pointer: '/tools', detail: 'is empty', mend: 'give at least one tool' });
  }
  const isFenced = flavour !== 'compact';
  // A model that does not see what its calls came to would make them again.
  const isUsersAlone = flavour === 'bfcl-1.0';
  return {
    masking,
    affinity: createHash('sha256')
      .update(JSON.stringify([flavour, shown]))
      .digest('base64url'),
    constraint: compileConstraint(shown, { maxCalls, fence: isFenced }),
    prompt: (messages) =>
      prompt.render(showMessages(messages, { masking, isFenced, isUsersAlone })),
    read: masking ? maskedReader(tools, masking) : plainReader(tools),
  };
}

/** The tools as a flavour wants them. */
function promptTools(
  flavour: ServingFlavour,
  tools: readonly ToolDefinition[],
): readonly ToolDefinition[] {
  if (flavour.startsWith('bfcl-')) return completeTools(inlineReferences(tools));
  // It prints what is not said as not said, as in training. The others print tools whole, definitions too.
  return flavour === 'compact' ? inlineReferences(tools) : tools;
}

/** Without its policy, which is not the model's business. */
function definitionOf({ name, description, parameters }: ToolDefinition): ToolDefinition {
  return { name, description, parameters };
}

function plainReader(tools: readonly ToolDefinition[]): CompiledToolset['read'] {
  const { validate } = compileValidators(tools);
  return (text) => {
    const answer = readAnswer(text, { tools, check: validate });
    switch (answer.outcome) {
      case 'calls':
        return { ...answer, written: answer.calls };
      case 'invalid':
        return { ...answer, message: answer.reason };
      case 'irrelevant':
      case 'needs_input':
      case 'answer':
        return answer;
    }
  };
}

function maskedReader(tools: readonly ToolDefinition[], masking: Masking): CompiledToolset['read'] {
  // Against the masked schemas first: what is wrong goes back to the model in the names that it saw.
  const shown = compileValidators(masking.tools);
  const real = compileValidators(tools);
  return (text) => {
    const answer = readAnswer(text, { tools: masking.tools, check: shown.validate });
    switch (answer.outcome) {
      case 'calls': {
        const calls = answer.calls.map((call) => masking.unmask(call));
        // What reaches a tool has passed its own schema, whatever masking made of it.
        const faults = calls.flatMap((call) => real.validate(call));
        if (faults.length === 0) return { ...answer, calls, written: answer.calls };
        const message = faults.map(({ pointer, detail }) => `${pointer} ${detail}`).join('; ');
        return { outcome: 'invalid', reason: 'The arguments do not fit the tools.', message };
      }
      case 'needs_input': {
        const { functions, parameters } = masking.names;
        const names = parameters[answer.tool] ?? {};
        return {
          ...answer,
          tool: functions[answer.tool] ?? answer.tool,
          parameters: answer.parameters.map((mask) => names[mask] ?? mask),
        };
      }
      case 'invalid':
        return { ...answer, message: answer.reason + explain(answer.reason, masking) };
      case 'irrelevant':
      case 'answer':
        return answer;
    }
  };
}

/** The real names of the masks that a text mentions, so that people understand it. */
function explain(text: string, { names }: Masking): string {
  // Masks are mentioned in quotes or as a step of a pointer.
  const mentioned = new Set(text.split(/["/\s,;:()]+/));
  const told = Object.entries(names.functions)
    .filter(([mask]) => mentioned.has(mask))
    .flatMap(([mask, name]) => [
      `${mask} is ${name}`,
      ...Object.entries(names.parameters[mask] ?? {})
        .filter(([parameter]) => mentioned.has(parameter))
        .map(([parameter, real]) => `${parameter} is ${real}`),
    ]);
  return told.length === 0 ? '' : ` (${told.join(', ')})`;
}
