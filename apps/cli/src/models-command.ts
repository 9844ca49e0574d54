import type { Command } from 'commander';
import { addModelsAdd } from './models-add.js';
import { addModelsList } from './models-list.js';
import { addModelsPull } from './models-pull.js';
import { addModelsRemove, addModelsUse } from './models-use.js';
import { addModelsShow } from './models-show.js';

export function addModelsCommand(program: Command): void {
  const models = program
    .command('models')
    .description('The models of this machine: fetch them, choose one, prepare them for Triton.');
  addModelsPull(models);
  addModelsAdd(models);
  addModelsList(models);
  addModelsShow(models);
  addModelsUse(models);
  addModelsRemove(models);
}
