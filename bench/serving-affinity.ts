import { type HammerTriton, startHammerTriton } from '../test/support/hammer-triton.js';
import { seededRandom } from '../test/support/seeded-random.js';
import { compare, type Row } from './harness.js';
import { inTurn } from './serving-figures.js';
import { rateOf, startLoad } from './serving-load.js';
import { metric } from './serving-metrics.js';
import type { Scale } from './serving-scale.js';
import { type System, type Toolset, tritonAt } from './serving-system.js';

const REPLICAS = 2;
const TOOLSETS = 50;
/** Room for the computed prompts of some more than half of the toolsets. */
const CACHE_MIB = 180;

const things = ['orders', 'rooms', 'vans', 'invoices', 'tickets', 'samples', 'orders of parts'];
const places = ['Porto', 'Turku', 'Gdansk', 'Leeds', 'Bergen', 'Nantes', 'Graz'];

/** About 250 tokens, which soon differ from those of other toolsets; its answers are short. */
function toolsetOf(index: number): Toolset {
  const place = `${places[index % places.length]} ${index}`;
  const tools = Array.from({ length: 2 }, (_, at) => {
    const thing = things[(index + at) % things.length];
    const description = `State of the ${thing}.`;
    return {
      name: `depot_${index}_list_${at}`,
      description: `List the ${thing} of the depot in ${place} that have the given state, the oldest first.`,
      parameters: {
        type: 'object',
        properties: { state: { type: 'string', enum: ['open', 'held', 'done'], description } },
        required: ['state'],
        additionalProperties: false,
      },
      executor: { kind: 'http', method: 'POST', url: 'http://127.0.0.1:1/' },
    };
  });
  return { name: `depot-${index}`, tools };
}

export const depotToolsets = Array.from({ length: TOOLSETS }, (_, index) => toolsetOf(index));

/** A way to choose a server, with servers of its own: it must not find what another way left behind. */
interface Side {
  readonly balance: 'affinity' | 'round_robin';
  readonly servers: HammerTriton[];
  readonly speeds: number[];
  /** Percent of the prompts' tokens that were computed before. */
  readonly hits: number[];
}

/** Many toolsets on two servers that each remember some of their prompts: which server is asked for which. */
export async function affinity(system: System, scale: Scale): Promise<Row[]> {
  const { rounds, toolsets } = scale;
  const side = (balance: Side['balance']): Side => ({ balance, servers: [], speeds: [], hits: [] });
  const sides = [side('affinity'), side('round_robin')] as const;
  try {
    await Promise.all(
      sides.map(async ({ servers }) => {
        while (servers.length < REPLICAS) {
          servers.push(await startHammerTriton({ cacheMib: CACHE_MIB }));
        }
      }),
    );
    for (let round = 0; round < rounds; round++) {
      for (const each of sides) await measureSide(system, each, scale, round);
    }
  } finally {
    await Promise.all(sides.flatMap(({ servers }) => servers.map((server) => server.stop())));
  }
  const [product, reference] = sides;
  const ratio = (a: number, b: number): number => a / b;
  const of = `${toolsets} toolsets on ${REPLICAS} servers, by affinity (reference: round robin)`;
  return [
    await compare(
      of,
      'tokens/s',
      rounds,
      { ...inTurn(product.speeds, reference.speeds), ratio },
      { atLeast: 1.2 },
    ),
    await compare('… tokens of the prompts found in the cache', '%', rounds, {
      ...inTurn(product.hits, reference.hits),
      ratio,
    }),
  ];
}

async function measureSide(
  system: System,
  { balance, servers, speeds, hits }: Side,
  { clients, modelAnswers, toolsets }: Scale,
  round: number,
): Promise<void> {
  await system.replaceWorker(tritonAt(servers, { TRITON_BALANCE: balance }));
  const ask = (toolset: number, report: string): Promise<void> => {
    const query = `Which ones are held, for report ${report}?`;
    return system.run({ query, toolset: `depot-${toolset}`, mode: 'resolve' });
  };
  if (round === 0) {
    // Each toolset once: what is measured is not the first start.
    const load = startLoad(clients, (index) => ask(index % toolsets, 'first'));
    await load.further(toolsets);
    await load.stop();
  }
  const tokens = (name: string): Promise<number> => metric(servers, `vllm:${name}`);
  const seen = await Promise.all(['prefix_cache_hits', 'prefix_cache_queries'].map(tokens));
  const random = seededRandom(round);
  const speed = await rateOf({
    clients,
    warm: clients,
    answers: modelAnswers,
    ask: (index) => ask(Math.floor(random() * toolsets), `${round}-${index}`),
    count: () => tokens('generation_tokens_total'),
  });
  const [found = NaN, asked = NaN] = (
    await Promise.all(['prefix_cache_hits', 'prefix_cache_queries'].map(tokens))
  ).map((value, at) => value - (seen[at] ?? NaN));
  speeds.push(speed);
  hits.push((100 * found) / asked);
}
