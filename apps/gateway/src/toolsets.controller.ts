import { HammerlineError } from '#libs/contracts';
import type { Toolset } from '#libs/tools';
import { Controller, Get, Inject, Param } from '@nestjs/common';
import { TOOLSETS } from './tokens.js';

@Controller('v1/toolsets')
export class ToolsetsController {
  constructor(@Inject(TOOLSETS) private readonly toolsets: ReadonlyMap<string, Toolset>) {}

  @Get()
  list(): { toolsets: object[] } {
    return { toolsets: [...this.toolsets.values()].map(describeToolset) };
  }

  @Get(':name')
  get(@Param('name') name: string): object {
    const toolset = this.toolsets.get(name);
    if (!toolset) {
      const known = [...this.toolsets.keys()].join(', ') || 'none';
      throw new HammerlineError(
        'not_found',
        `There is no toolset ${JSON.stringify(name)}. Known are: ${known}.`,
      );
    }
    return describeToolset(toolset);
  }
}

/** What a client may know of a toolset: not where its tools live. */
function describeToolset({ name, version, description, hash, tools }: Toolset): object {
  return {
    name,
    version,
    description,
    hash,
    tools: tools.map((tool) => ({
      name: tool.name,
      description: tool.description,
      parameters: tool.parameters,
      effect: tool.effect,
    })),
  };
}
