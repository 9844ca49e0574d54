import type { Command } from 'commander';
import { type ApiClient, type Connection, openApi, withConnection } from './api-client.js';
import { addRunsDecide } from './runs-decide.js';
import { addRunsList } from './runs-list.js';
import { addRunsReplay } from './runs-replay.js';
import { addRunsShow } from './runs-show.js';

/** Makes a subcommand of `runs` with the options that say which gateway; its action is then given that. */
export type AddRunsCommand = (name: string, description: string) => Command;
export type Connect = (connection: Connection) => ApiClient;

/** @param env names the gateway and the key: HAMMERLINE_URL, HAMMERLINE_API_KEY */
export function addRunsCommand(program: Command, env: NodeJS.ProcessEnv): void {
  const runs = program
    .command('runs')
    .description('The runs of a gateway: look at them, decide about them, have them done again.');
  const add: AddRunsCommand = (name, description) =>
    withConnection(runs.command(name).description(description));
  const connect: Connect = (connection) => openApi(connection, env);
  addRunsList(add, connect);
  addRunsShow(add, connect);
  addRunsDecide(add, connect);
  addRunsReplay(add, connect);
}
