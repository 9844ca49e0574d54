import type { Command } from 'commander';
import { renewCpuModel, type Store } from '#libs/models';
import { untilInterrupted } from './models-interruption.js';
import { readName } from './models-options.js';
import { entryJson } from './models-text.js';
import { printJson } from './text.js';

interface UseChoice {
  json?: true;
}

interface RemoveChoice {
  force?: boolean;
  json?: true;
}

export function addModelsUse(models: Command, store: Store): void {
  models
    .command('use')
    .description('Choose the model that `npm start` takes; `default` is the one in the box.')
    .argument('<name>', 'as `models list` shows it, or `default`', readName)
    .option('--json', 'the entry as JSON; null for the model in the box')
    .action((name: string, choice: UseChoice) => useModel(store, name, choice));
}

export function addModelsRemove(models: Command, store: Store): void {
  models
    .command('remove')
    .description(
      'Delete a model, or what an unfinished pull left. Files that were added without --copy stay where they are.',
    )
    .argument('<name>', 'as `models list` shows it', readName)
    .option('--force', 'also the used one: the model in the box is used then')
    .option('--json', 'one JSON object {removed}')
    .action((name: string, choice: RemoveChoice) => removeModel(store, name, choice));
}

async function useModel(store: Store, name: string, { json }: UseChoice): Promise<void> {
  const chosen = name === 'default' ? undefined : name;
  const entry = chosen === undefined ? undefined : await store.read(chosen);
  await store.use(chosen);
  // The program that serves it is this checkout's as it is now, also if it was another's, or has moved or changed.
  if (entry?.format === 'gguf') await renewCpuModel(entry.tritonRepository, entry.card);
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
  store: Store,
  name: string,
  { force = false, json }: RemoveChoice,
): Promise<void> {
  const onWait = (owner: string) => console.error(`waiting for ${owner}, which works on ${name}`);
  await untilInterrupted((signal) => store.remove(name, { force, signal, onWait }));
  if (json) printJson({ removed: name });
  else console.log(`${name} is gone.`);
}
