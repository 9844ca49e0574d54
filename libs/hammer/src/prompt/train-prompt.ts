import { str } from '#libs/pyjson';
import { walkTools } from './deep-tool.js';
import { readProperties, readTool } from './given-tool.js';
import { instructions, querySection, toolsSection } from './instructions.js';

/** A record of the training data. */
export interface TrainRecord {
  /** JSON text, which is taken as it is; or tools, which the original prints as Python does, not as JSON. */
  readonly tools: unknown;
  readonly query: unknown;
}

/** The text that 1.0 and 2.0 were trained on (`train-v1`). The trainer wraps it in ChatML, as a turn of the user. */
export function trainPrompt({ tools, query }: TrainRecord): string {
  const { task, format } = instructions.v1;
  const shown = walkTools(tools, () => str(flatTools(tools)));
  return task + toolsSection(shown) + format + querySection(str(query));
}

function flatTools(tools: unknown): unknown {
  if (!Array.isArray(tools)) return tools;
  return tools.map((given: unknown, index) => {
    const tool = readTool(given, index);
    return {
      name: tool.name,
      description: tool.description,
      parameters: readProperties(tool),
    };
  });
}
