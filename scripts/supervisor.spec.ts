import { EventEmitter, once } from 'node:events';
import { expect, it } from 'vitest';
import { startProcess } from './process.mjs';
import { startServer, type Server } from './server.mjs';
import { createSupervisor } from './supervisor.mjs';

const LIVES = `process.send({ type: 'ready', url: 'http://x' });
  process.on('SIGTERM', () => process.exit(0)); process.on('disconnect', () => process.exit(0));`;

function start(code: string, name = 'fake', signal?: AbortSignal): Promise<Server> {
  return startServer({
    name,
    signal,
    launch: () => startProcess(process.execPath, ['-e', code], { ipc: true }),
    ready: async (app) => String((await app.message('ready')).url),
    explain: (app) => app.tail().at(-1)?.text,
  });
}

it('fails with the last words of a server that does not start', async () => {
  await expect(
    start(`console.error('first'); console.error('no'); process.exit(1)`),
  ).rejects.toThrow(/^no$/);
  await expect(start('process.exit(3)')).rejects.toThrow('fake did not start (exit code 3)');
});

it('says that a program cannot be run', async () => {
  const broken = startServer({
    name: 'broken',
    launch: () => startProcess('/nowhere/at-all', [], { deathSignal: 'SIGTERM' }),
    ready: (app) => app.line(/never/),
    explain: (app) => app.tail().at(-1)?.text,
  });
  await expect(broken).rejects.toThrow('/nowhere/at-all');
});

it('gives up a start when it is told to', async () => {
  const aborter = new AbortController();
  const starting = start(
    `process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1e6)`,
    'x',
    aborter.signal,
  );
  aborter.abort();
  await expect(starting).rejects.toThrow('aborted');
});

it('starts again what died, until it is stopped', async () => {
  const said = new EventEmitter();
  const supervisor = createSupervisor((line) => said.emit(line));
  const server = await supervisor.start('fake', () => start(LIVES));
  const { pid } = server;
  const again = once(said, 'fake runs again');
  process.kill(pid, 'SIGKILL');
  await again;
  expect(server.pid).not.toBe(pid);
  expect(supervisor.memory()).toEqual([{ name: 'fake', bytes: expect.any(Number) }]);
  expect(supervisor.memory()[0]?.bytes).toBeGreaterThan(1_000_000);

  await supervisor.stop();
  expect(await server.exited).toEqual({ code: 0, signal: null });
});

it('stops in reverse order', async () => {
  const stopped: string[] = [];
  const supervisor = createSupervisor(() => {});
  for (const name of ['first', 'second', 'third']) {
    const server = await supervisor.start(name, () => start(LIVES, name));
    void server.exited.then(() => stopped.push(name));
  }
  await supervisor.stop();
  expect(stopped).toEqual(['third', 'second', 'first']);
});
