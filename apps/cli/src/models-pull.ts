import type { Command } from 'commander';
import { HammerlineError } from '#libs/contracts';
import {
  type Licence,
  openHttp,
  openHub,
  parseReference,
  planPull,
  PUBLIC_HUB,
  pull,
  type PullPlan,
  requireAccepted,
  type Store,
} from '#libs/models';
import { untilInterrupted } from './models-interruption.js';
import {
  adapterChoices,
  cardChoices,
  type ModelChoice,
  withModelOptions,
} from './models-options.js';
import { Progress } from './models-progress.js';
import { announce } from './models-show.js';
import { bytesText } from './models-text.js';

interface PullChoice extends ModelChoice {
  acceptLicence?: true;
  json?: true;
}

export function addModelsPull(models: Command, store: Store, env: NodeJS.ProcessEnv): void {
  const command = models
    .command('pull')
    .description(
      'Fetch a model from the hub: its safetensors, for vLLM on a GPU, or one GGUF file, for this machine. ' +
        'What was broken off goes on where it stopped.',
    )
    .argument(
      '<model>',
      'ORG/NAME, with @REVISION, with :FILE.gguf or :Q4_K_M; or the URL of a page of the hub or of a GGUF file',
    )
    .option('--name <name>', 'the name of the entry; default: that of the repository or file')
    .option('--accept-licence', 'you accept the licence that is shown')
    .option('--json', 'the entry as JSON')
    .addHelpText(
      'after',
      '\nHF_ENDPOINT names another hub, HF_TOKEN is for gated and private models, HAMMERLINE_MODELS is where models are kept.',
    );
  withModelOptions(command).action((text: string, choice: PullChoice) =>
    pullModel(store, env, text, choice),
  );
}

async function pullModel(
  store: Store,
  env: NodeJS.ProcessEnv,
  text: string,
  choice: PullChoice,
): Promise<void> {
  const endpoint = readEndpoint(env);
  const token = env['HF_TOKEN']?.trim() || undefined;
  const reference = parseReference(text, endpoint);
  const http = openHttp({ token, tokenOrigin: new URL(endpoint).origin });
  try {
    await untilInterrupted(async (signal) => {
      const plan = await planPull(reference, openHub(endpoint, http), http, signal);
      const name = choice.name ?? plan.name;
      showPlan(name, plan);
      requireAccepted(text, plan.licence, choice.acceptLicence ?? false);
      const progress = new Progress(name, plan.bytes);
      try {
        const { entry, isNew } = await pull(plan, {
          store,
          http,
          name,
          choices: cardChoices(choice),
          adapters: adapterChoices(choice),
          signal,
          onBytes: (bytes) => progress.add(bytes),
          onWait: (owner) => console.error(`${name} is being fetched by ${owner}: waiting for it`),
        });
        progress.end();
        await announce(store, entry, isNew, choice);
      } finally {
        progress.end();
      }
    });
  } finally {
    await http.close();
  }
}

function readEndpoint(env: NodeJS.ProcessEnv): string {
  const endpoint = env['HF_ENDPOINT'] || PUBLIC_HUB;
  if (/^https?:/.test(endpoint) && URL.canParse(endpoint)) return endpoint;
  throw new HammerlineError(
    'invalid_request',
    `HF_ENDPOINT is ${JSON.stringify(endpoint)}: it must be an http(s) URL`,
  );
}

/** On stderr, as a script may read the answer. */
function showPlan(name: string, { source, files, bytes, licence }: PullPlan): void {
  const from =
    source.kind === 'hub'
      ? `${source.repository} at ${source.commit.slice(0, 12)}${source.file === undefined ? '' : `, ${source.file}`}`
      : 'a single file';
  const count = files.length === 1 ? 'one file' : `${files.length} files`;
  console.error(`${name}: ${from}; ${bytesText(bytes)} in ${count}`);
  console.error(`licence: ${licenceText(licence)}`);
}

function licenceText({ title, terms, link }: Licence): string {
  return link === null ? `${title}: ${terms}` : `${title}: ${terms} (${link})`;
}
