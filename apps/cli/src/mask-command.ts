import { type Command, Option } from 'commander';
import { maskKey, MASK_STYLES, type MaskStyle, maskTools } from '#libs/masking';
import { readToolsFile } from './read-tools-file.js';

export interface MaskChoice {
  tenant: string;
  style: MaskStyle;
}

/** Adds the options that decide on the masks. */
export function withMaskOptions(command: Command): Command {
  return command
    .addOption(new Option('--tenant <id>', 'whose masks: they differ by tenant').default('default'))
    .addOption(
      new Option('--style <style>', 'how masks look').choices(MASK_STYLES).default('hash'),
    );
}

export function addMaskCommand(program: Command): void {
  const command = program
    .command('mask')
    .description(
      'Show tools as a model sees them with masked names, and what each mask stands for.',
    )
    .argument(
      '<file>',
      'toolset file, or list of tools in OpenAI, BFCL or xLAM shape; - reads standard input',
    )
    .option('--json', 'one JSON object {tools, names}');
  withMaskOptions(command).action(showMasks);
}

async function showMasks(file: string, options: MaskChoice & { json?: true }): Promise<void> {
  const { tools, hash } = await readToolsFile(file);
  const key = maskKey(options.tenant, hash);
  const { tools: masked, names } = maskTools(tools, { key, style: options.style });
  if (options.json) {
    console.log(JSON.stringify({ tools: masked, names }, null, 2));
    return;
  }
  for (const [mask, name] of Object.entries(names.functions)) {
    console.log(`${mask}  ${shown(name)}`);
    for (const [parameter, real] of Object.entries(names.parameters[mask] ?? {})) {
      console.log(`  ${parameter}  ${shown(real)}`);
    }
  }
  console.log(`\n${JSON.stringify(masked, null, 2)}`);
}

/** A name that could steer a terminal is shown as JSON. */
function shown(name: string): string {
  return /\p{C}/u.test(name) ? JSON.stringify(name) : name;
}
