import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  HammerlineError,
  invalidRequest,
  MaskMode,
  type Message,
  RunRequest,
} from '#libs/contracts';
import { flavourOf, promptText, SERVING_FLAVOURS, type ServingFlavour } from '#libs/hammer';
import { maskKey } from '#libs/masking';
import { compileToolset } from '#libs/turn';
import { type MaskChoice, withMaskOptions } from './mask-command.js';
import { readJsonFile, readToolsFile } from './read-tools-file.js';

interface PromptChoice extends MaskChoice {
  query?: string;
  messages?: string;
  model?: string;
  flavour?: ServingFlavour;
  mask?: MaskMode;
  maxCalls: number;
  show: 'prompt' | 'grammar' | 'schema' | 'report';
}

export function addPromptCommand(program: Command): void {
  const command = program
    .command('prompt')
    .description('Show the prompt that a model reads, or the constraint that its answer follows.')
    .argument(
      '<file>',
      'toolset file, or list of tools in OpenAI, BFCL or xLAM shape; - reads standard input',
    )
    .addOption(new Option('--query <text>', 'the request in words').conflicts('messages'))
    .option('--messages <file>', 'the conversation: a JSON list of {role, content}')
    .option('--model <name>', 'a Hammer model, such as Hammer2.1-7b: its flavour')
    .addOption(
      new Option('--flavour <name>', 'the flavour; default: compact, that of the model in the box')
        .choices(SERVING_FLAVOURS)
        .conflicts('model'),
    )
    .addOption(
      new Option(
        '--mask <mode>',
        'whether names are masked; default: what the toolset says',
      ).choices(MaskMode.options),
    )
    .addOption(
      new Option('--show <what>', 'report: what the grammar leaves to validation')
        .choices(['prompt', 'grammar', 'schema', 'report'])
        .default('prompt'),
    )
    .option('--max-calls <n>', 'most calls of an answer, in the constraint', readCount, 1);
  withMaskOptions(command).action(showPrompt);
}

async function showPrompt(file: string, options: PromptChoice): Promise<void> {
  const flavour = chooseFlavour(options);
  const { tools, hash, mask } = await readToolsFile(file);
  const { constraint, prompt } = compileToolset(tools, {
    flavour,
    maxCalls: options.maxCalls,
    mask: isMasked(options.mask ?? mask, flavour)
      ? { key: maskKey(options.tenant, hash), style: options.style }
      : undefined,
  });
  switch (options.show) {
    case 'prompt':
      // Nothing is added, not even a line end: what is piped on is what the model reads.
      process.stdout.write(promptText(prompt(await readMessages(options))));
      break;
    case 'grammar':
      console.log(constraint.grammar);
      break;
    case 'schema':
      console.log(JSON.stringify(constraint.jsonSchema, null, 2));
      break;
    case 'report':
      console.log(JSON.stringify(constraint.report, null, 2));
  }
}

/** As the worker has it: the Hammer models were trained with masks, and the model in the box does better without. */
function isMasked(mask: MaskMode, flavour: ServingFlavour): boolean {
  return mask === 'auto' ? flavour !== 'compact' : mask === 'on';
}

function chooseFlavour({ model, flavour }: PromptChoice): ServingFlavour {
  if (model === undefined) return flavour ?? 'compact';
  const known = flavourOf(model);
  if (known !== undefined) return known;
  throw new HammerlineError(
    'invalid_request',
    `--model: no flavour is known for ${model}; give --flavour instead: ${SERVING_FLAVOURS.join(', ')}`,
  );
}

async function readMessages({ query, messages }: PromptChoice): Promise<readonly Message[]> {
  if (messages === undefined) return query === undefined ? [] : [{ role: 'user', content: query }];
  const read = RunRequest.shape.messages.unwrap().safeParse(await readJsonFile(messages));
  if (read.success) return read.data;
  const faults = read.error.issues.map(({ path, message }) => ({
    pointer: `${messages} /${path.map(String).join('/')}`,
    detail: message,
    mend: 'give a list of {"role", "content"}; roles are system, user, assistant and tool',
  }));
  throw invalidRequest(...(faults as [(typeof faults)[0]]));
}

function readCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 1_000) return count;
  throw new InvalidArgumentError('It must be a whole number from 1 to 1000.');
}
