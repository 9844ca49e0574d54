import type { ResolvedCall } from '#libs/contracts';
import type { Ledger } from '#libs/runs';
import { compileValidators, type Tool, type Toolset } from '#libs/tools';
import { LRUCache } from 'lru-cache';

export interface CompiledToolset {
  tools: ReadonlyMap<string, Tool>;
  validate(call: ResolvedCall): { pointer: string; detail: string }[];
}

/** Makes the function that gives toolsets as they were when their runs were accepted, ready for use, by hash. */
export function createToolsetReader(
  ledger: Pick<Ledger, 'toolset'>,
): (hash: string) => Promise<CompiledToolset> {
  const compiled = new LRUCache<string, CompiledToolset>({ max: 256 });
  return async (hash) => {
    let toolset = compiled.get(hash);
    if (!toolset) {
      const { tools } = (await ledger.toolset(hash)) as Toolset;
      toolset = {
        tools: new Map(tools.map((tool) => [tool.name, tool])),
        validate: compileValidators(tools).validate,
      };
      compiled.set(hash, toolset);
    }
    return toolset;
  };
}
