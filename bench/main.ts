import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { benches } from './benches.js';
import { machine, type Row } from './harness.js';

const help = `Measures a part of the product beside a reference, in alternating rounds of one run.

  npm run -s bench -- NAME [--smoke] [--json FILE]

${benches.map(({ name, about }) => `  ${name.padEnd(12)} ${about}`).join('\n')}

  --smoke      few rounds of little work: does it run and give sane numbers?
  --json FILE  also writes the rows there
  --help       this text

Exit status: 0, also where a target is missed: figures of a shared machine gate nothing; 2 wrong usage.`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      smoke: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const [name, ...rest] = positionals;
  const bench = benches.find((candidate) => candidate.name === name);
  if (bench === undefined || rest.length > 0) {
    throw new TypeError(
      name === undefined ? 'NAME is missing' : `there is no bench ${positionals.join(' ')}`,
    );
  }
  const measured = await bench.run({ smoke: values.smoke });
  // So little work says nothing of a target: `undefined` is left out where the rows are written.
  const rows = values.smoke
    ? measured.map((row) => ({ ...row, target: undefined, met: undefined }))
    : measured;
  print(rows);
  if (values.json !== undefined) {
    const report = { bench: bench.name, machine: machine(), rows };
    writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  }
  return 0;
}

function print(rows: readonly Row[]): void {
  const lines = [
    ['row', 'value', 'reference', 'ratio', 'range', 'target', ''],
    ...rows.map((row) => [
      row.name,
      `${figure(row.value)} ${row.unit}`,
      row.reference === undefined ? '' : `${figure(row.reference)} ${row.unit}`,
      row.ratio === undefined ? '' : `${figure(row.ratio)} ×`,
      `${figure(row.range[0])}–${figure(row.range[1])}`,
      row.target ?? 'report',
      row.met === undefined ? '' : row.met ? 'met' : 'missed',
    ]),
  ];
  const widths = (lines[0] ?? []).map((_, at) =>
    Math.max(...lines.map((line) => line[at]?.length ?? 0)),
  );
  for (const line of lines) {
    console.log(
      line
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}

function figure(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  console.error(`${error.message}\n\n${help}`);
  process.exitCode = 2;
}
