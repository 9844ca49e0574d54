import type { Command } from 'commander';
import type { Store } from '#libs/models';
import { bytesText, entryJson, sizeOf } from './models-text.js';
import { printJson, table } from './text.js';

interface ListChoice {
  json?: true;
}

export function addModelsList(models: Command, store: Store): void {
  models
    .command('list')
    .description(
      'Show the models of this machine; an asterisk marks the one that `npm start` takes.',
    )
    .option('--json', 'one JSON object {folder, used, models, unfinished}')
    .action((choice: ListChoice) => listModels(store, choice));
}

async function listModels(store: Store, { json }: ListChoice): Promise<void> {
  const [listed, used, unfinished] = await Promise.all([
    store.list(),
    store.usedName(),
    store.unfinished(),
  ]);
  if (json) {
    printJson({
      folder: store.folder,
      used: used ?? null,
      models: listed.map((item) =>
        'entry' in item ? entryJson(item.entry, item.name === used) : item,
      ),
      unfinished,
    });
    return;
  }
  const isGone = used !== undefined && listed.every(({ name }) => name !== used);
  const mark = (name: string | undefined) => (name === used ? '*' : '');
  const rows = listed.map((item) => {
    if ('fault' in item) return [mark(item.name), item.name, 'damaged', '', '', '', ''];
    const { card, format, licence } = item.entry;
    const size = bytesText(sizeOf(item.entry));
    const context = String(card.contextTokens);
    return [mark(item.name), item.name, format, size, card.flavour, context, licence.id ?? '?'];
  });
  console.log(
    table([
      ['', 'NAME', 'FORMAT', 'SIZE', 'FLAVOUR', 'CONTEXT', 'LICENCE'],
      [mark(undefined), 'default', 'in the box', '', '', '', ''],
      ...rows,
      ...(isGone ? [['*', used, 'gone', '', '', '', '']] : []),
      ...unfinished.map((name) => ['', name, 'unfinished', '', '', '', '']),
    ]),
  );
  if (isGone) console.error(`${used} is used, and gone: choose another with \`models use\``);
  for (const item of listed) if ('fault' in item) console.error(item.fault);
}
