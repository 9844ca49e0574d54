import { type Command, Option } from 'commander';
import { HammerlineError } from '#libs/contracts';
import { type Entry, openStore } from '#libs/models';
import { bytesText, entryJson, printJson, sizeOf, table } from './models-text.js';

export function addModelsShow(models: Command): void {
  models
    .command('show')
    .description('Show all that is known of a model.')
    .argument('[name]', 'as `models list` shows it')
    .addOption(new Option('--used', 'the one that `npm start` takes'))
    .option('--json', 'the entry as JSON; null for the model in the box')
    .action(showModel);
}

async function showModel(
  name: string | undefined,
  { used: wantsUsed, json }: { used?: true; json?: true },
): Promise<void> {
  if ((name === undefined) === (wantsUsed === undefined)) {
    throw new HammerlineError('invalid_request', 'name one model, or give --used');
  }
  const store = openStore();
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
  entry: Entry,
  isNew: boolean,
  { json }: { json?: true },
): Promise<void> {
  if (json) {
    printJson(entryJson(entry, (await openStore().usedName()) === entry.name));
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
