import type { Command } from 'commander';
import { addModel, type Store } from '#libs/models';
import { untilInterrupted } from './models-interruption.js';
import {
  adapterChoices,
  cardChoices,
  type ModelChoice,
  withModelOptions,
} from './models-options.js';
import { announce } from './models-show.js';

interface AddChoice extends ModelChoice {
  copy?: true;
  json?: true;
}

export function addModelsAdd(models: Command, store: Store): void {
  const command = models
    .command('add')
    .description('Make an entry of a GGUF file or a folder of safetensors of this machine.')
    .argument('<path>', 'the file or folder; it stays where it is and must not change')
    .option('--name <name>', 'the name of the model; default: that of the file or folder')
    .option('--copy', 'copy the files into the store')
    .option('--json', 'the entry as JSON');
  withModelOptions(command).action((path: string, choice: AddChoice) => add(store, path, choice));
}

async function add(store: Store, path: string, choice: AddChoice): Promise<void> {
  const { entry, isNew } = await untilInterrupted((signal) =>
    addModel(path, {
      store,
      name: choice.name,
      copy: choice.copy ?? false,
      choices: cardChoices(choice),
      adapters: adapterChoices(choice),
      signal,
      onWait: (owner) => console.error(`waiting for ${owner}, which works on that entry`),
    }),
  );
  await announce(store, entry, isNew, choice);
}
