import { type Command, Option } from 'commander';
import { HammerlineError } from '#libs/contracts';
import { linkCpuModel, openStore } from '#libs/models';
import { entryJson, printJson } from './models-text.js';

export function addModelsUse(models: Command): void {
  models
    .command('use')
    .description('Choose the model that `npm start` takes; `default` is the one in the box.')
    .argument('[name]', 'as `models list` shows it')
    .addOption(new Option('--default', 'the model in the box'))
    .option('--json', 'the entry as JSON; null for the model in the box')
    .action(useModel);
}

export function addModelsRemove(models: Command): void {
  models
    .command('remove')
    .description(
      'Delete a model, or what an unfinished pull left. Files that were added without --copy stay where they are.',
    )
    .argument('<name>', 'as `models list` shows it')
    .option('--force', 'also the used one: the model in the box is used then')
    .option('--json', 'one JSON object {removed}')
    .action(removeModel);
}

async function useModel(
  name: string | undefined,
  { default: wantsDefault, json }: { default?: true; json?: true },
): Promise<void> {
  if ((name === undefined) === (wantsDefault === undefined)) {
    throw new HammerlineError('invalid_request', 'name one model, or give --default');
  }
  const store = openStore();
  const chosen = wantsDefault || name === 'default' ? undefined : name;
  const entry = chosen === undefined ? undefined : await store.read(chosen);
  await store.use(chosen);
  // The program that serves it is this checkout's from now on, also if it was another's or has moved.
  if (entry?.format === 'gguf') linkCpuModel(entry.tritonRepository);
  if (json) printJson(entry === undefined ? null : entryJson(entry, true));
  else if (entry === undefined) console.log('The model in the box is used.');
  else {
    console.log(`${entry.name} is used.`);
    if (entry.format === 'safetensors') {
      console.log('It needs a Triton with a GPU: docs/gpu.md; `npm start` needs its TRITON_URL.');
    }
  }
}

async function removeModel(
  name: string,
  { force = false, json }: { force?: boolean; json?: true },
): Promise<void> {
  await openStore().remove(name, { force });
  if (json) printJson({ removed: name });
  else console.log(`${name} is gone.`);
}
