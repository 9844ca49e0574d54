import { startHammerTriton } from '../test/support/hammer-triton.js';
import { compare, type Row } from './harness.js';
import { openDirect } from './serving-direct.js';
import { rateOf } from './serving-load.js';
import { metric } from './serving-metrics.js';
import { type Scale } from './serving-scale.js';
import { type System, type Toolset, tritonAt } from './serving-system.js';

const columns = ['units', 'price', 'revenue'];
const statistics = ['mean', 'median', 'sum', 'min', 'max'];

export const salesToolset: Toolset = {
  name: 'sales',
  tools: [
    {
      name: 'column_statistics',
      description: 'Compute a statistic over one column of the sales table.',
      parameters: {
        type: 'object',
        properties: {
          column: { type: 'string', enum: columns, description: 'Column of the sales table.' },
          statistic: { type: 'string', enum: statistics, description: 'Statistic to compute.' },
        },
        required: ['column', 'statistic'],
        additionalProperties: false,
      },
      effect: 'read',
      executor: {
        kind: 'builtin',
        name: 'table.column_statistics',
        options: { file: 'sales.csv' },
      },
    },
  ],
};

function query(index: number): string {
  const statistic = statistics[index % statistics.length];
  const column = columns[index % columns.length];
  return `What is the ${statistic} of ${column} in the sales table, for report ${index}?`;
}

/** Whole runs (gateway, worker, executor with a tool that reads a file) beside the model alone. */
export async function saturation(
  system: System,
  { rounds, clients, modelAnswers }: Scale,
): Promise<Row> {
  // Without memory of earlier prompts: the second to ask would find those of the first.
  const triton = await startHammerTriton({ cacheMib: 0 });
  const tokens = (ask: (index: number) => Promise<void>): Promise<number> =>
    rateOf({
      clients,
      warm: clients,
      answers: modelAnswers,
      ask,
      count: () => metric([triton], 'vllm:generation_tokens_total'),
    });
  try {
    await system.replaceWorker(tritonAt([triton]));
    const direct = await openDirect(triton, salesToolset);
    const row = await compare(
      `whole runs, ${clients} clients (reference: the same prompts sent to Triton)`,
      'tokens/s',
      rounds,
      {
        product: () =>
          tokens((index) => system.run({ query: query(index), toolset: 'sales', mode: 'execute' })),
        reference: () => tokens((index) => direct.ask(query(index))),
        ratio: (product, reference) => product / reference,
      },
      { atLeast: 0.95 },
    );
    await direct.close();
    return row;
  } finally {
    await triton.stop();
  }
}
