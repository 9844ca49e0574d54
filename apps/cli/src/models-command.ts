import type { Command } from 'commander';
import { modelsFolder, openStore } from '#libs/models';
import { addModelsAdd } from './models-add.js';
import { addModelsList } from './models-list.js';
import { addModelsPull } from './models-pull.js';
import { addModelsRemove, addModelsUse } from './models-use.js';
import { addModelsShow } from './models-show.js';

/** @param env names the store and the hub: HAMMERLINE_MODELS, HF_ENDPOINT … */
export function addModelsCommand(program: Command, env: NodeJS.ProcessEnv): void {
  const store = openStore(modelsFolder(env));
  const models = program
    .command('models')
    .description('The models of this machine: fetch them, choose one, prepare them for Triton.');
  addModelsPull(models, store, env);
  addModelsAdd(models, store);
  addModelsList(models, store);
  addModelsShow(models, store);
  addModelsUse(models, store);
  addModelsRemove(models, store);
}
