import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startPostgres } from './postgres.mjs';
import type { Server } from './server.mjs';

let dir: string;
let postgres: Server;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'postgres-'));
  postgres = await startPostgres({ dir });
}, 60_000);

afterAll(async () => {
  await postgres.stop();
  await rm(dir, { recursive: true });
});

async function query(sql: string, url = postgres.url): Promise<Record<string, unknown>[]> {
  const client = new Client(url);
  // A server that is killed beneath an open connection must not fail the test by an unhandled event.
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

it('is durable, and reached only over loopback', async () => {
  const rows = await query(
    `select name, setting from pg_settings
     where name in ('fsync', 'synchronous_commit', 'listen_addresses', 'unix_socket_directories')
     order by name`,
  );
  expect(rows.map(({ name, setting }) => `${String(name)}=${String(setting)}`)).toEqual([
    'fsync=on',
    'listen_addresses=127.0.0.1',
    'synchronous_commit=on',
    'unix_socket_directories=',
  ]);
});

it('wants the password, which only its owner can read', async () => {
  const url = new URL(postgres.url);
  url.password = 'wrong';
  await expect(query('select 1', url.href)).rejects.toThrow('password authentication failed');
  expect((await stat(path.join(dir, 'password'))).mode & 0o777).toBe(0o600);
});

it('keeps what was committed when it is killed', async () => {
  await query('create table kept (id int); insert into kept values (1)');
  const { pid, url } = postgres;
  await postgres.kill();
  await postgres.restart();
  expect(postgres.pid).not.toBe(pid);
  expect(await query('select id from kept', url)).toEqual([{ id: 1 }]);
});

it('says in one line that its port is taken', async () => {
  const other = await mkdtemp(path.join(tmpdir(), 'postgres-'));
  const port = Number(new URL(postgres.url).port);
  await expect(startPostgres({ dir: other, port })).rejects.toThrow(
    `Postgres: port ${port} is in use`,
  );
  await rm(other, { recursive: true });
}, 60_000);

it('takes over a folder from a launcher that was killed', async () => {
  await postgres.stop();
  const module = new URL('postgres.mjs', import.meta.url).href;
  const code = `const { startPostgres } = await import(${JSON.stringify(module)});
    const { pid } = await startPostgres({ dir: process.argv[1] });
    console.log(pid);`;
  const launcher = spawn(process.execPath, ['--input-type=module', '-e', code, dir]);
  const [pid] = (await once(launcher.stdout, 'data')) as [Buffer];
  launcher.kill('SIGKILL');
  postgres = await startPostgres({ dir });
  expect(postgres.pid).not.toBe(Number(pid));
  expect(await query('select id from kept')).toEqual([{ id: 1 }]);
}, 60_000);

it('refuses the data of another major version, and says how to go on', async () => {
  await postgres.stop();
  const file = path.join(dir, 'data/PG_VERSION');
  await writeFile(file, '17\n');
  await expect(startPostgres({ dir })).rejects.toThrow(/was written by Postgres 17.*DATABASE_URL/);
  await writeFile(file, '18\n');
  postgres = await startPostgres({ dir });
});

it('leaves no half-made data folder behind', () => {
  expect(existsSync(path.join(dir, 'data.new'))).toBe(false);
  expect(existsSync(path.join(dir, 'password.new'))).toBe(false);
});
