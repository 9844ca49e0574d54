import type { Command } from 'commander';
import type { Entry, Store } from '#libs/models';
import { readName } from './models-options.js';
import { bytesText, entryJson, sizeOf } from './models-text.js';
import { printJson, table } from './text.js';

interface ShowChoice {
  used?: true;
  json?: true;
}

export function addModelsShow(models: Command, store: Store): void {
  models
    .command('show')
    .description('Show all that is known of a model.')
    .argument('[name]', 'as `models list` shows it', readName)
    .option('--used', 'the one that `npm start` takes')
    .option('--json', 'the entry as JSON; null for the model in the box')
    .action((name: string | undefined, choice: ShowChoice, command: Command) => {
      if ((name === undefined) === (choice.used === undefined)) {
        command.error('error: name one model, or give --used');
      }
      return showModel(store, name, choice);
    });
}

async function showModel(
  store: Store,
  name: string | undefined,
  { json }: ShowChoice,
): Promise<void> {
  const used = await store.usedName();
  const entry =
    name === undefined
      ? await store.used()
      : name === 'default'
        ? undefined
        : await store.read(name);
  if (json) printJson(entry === undefined ? null : entryJson(entry, entry.name === used));
  else if (entry === undefined) console.log('default: the model in the box (models/README.md)');
  else console.log(describe(entry, entry.name === used));
}

/** What `pull` and `add` say when they are done. */
export async function announce(
  store: Store,
  entry: Entry,
  isNew: boolean,
  { flavour, json }: { flavour?: string; json?: true },
): Promise<void> {
  if (isNew && flavour === undefined && entry.card.flavour === 'compact') {
    console.error(
      `${entry.name} is no Hammer model by any of its names, so it is asked with the prompt \`compact\`. If it is one, ` +
        'remove it and give --flavour',
    );
  }
  if (json) {
    printJson(entryJson(entry, (await store.usedName()) === entry.name));
    return;
  }
  console.log(isNew ? `${entry.name} is there.` : `${entry.name} was there already.`);
  console.log(
    entry.format === 'gguf'
      ? `\`hammerline models use ${entry.name}\` makes it the one that \`npm start\` takes.`
      : `docs/gpu.md says how to serve ${entry.tritonRepository} on a GPU.`,
  );
}

function describe(entry: Entry, used: boolean): string {
  const { card, licence, adapter, loras } = entry;
  const accepted = licence.accepted === null ? '' : `, accepted ${licence.accepted}`;
  const rows = [
    ['name', used ? `${entry.name} (used)` : entry.name],
    ['model', card.name],
    ['prompt', `${card.flavour}, up to ${card.maxCalls} calls, stop ${JSON.stringify(card.stop)}`],
    ['context', `${card.contextTokens} tokens`],
    ['masks', card.maskTrained ? 'trained on masked names' : 'not trained on masked names'],
    ['threshold', String(card.confidenceThreshold)],
    ['weights', `${entry.weights} (${entry.format}, ${bytesText(sizeOf(entry))})`],
    ...(adapter === undefined ? [] : [['adapter', adapter]]),
    ...Object.entries(loras).map(([name, path]) => ['adapter', `${name}: ${path}`]),
    ['from', sourceText(entry.source)],
    ['licence', `${licence.id ?? 'not known'}${accepted}`],
    ['Triton', entry.tritonRepository],
  ];
  return table(rows);
}

function sourceText(source: Entry['source']): string {
  switch (source.kind) {
    case 'hub': {
      const { repository, commit, file } = source;
      return `${repository} at ${commit}${file === undefined ? '' : `, ${file}`}`;
    }
    case 'url':
      return source.url;
    case 'path':
      return source.path;
  }
}
