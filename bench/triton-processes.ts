import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Took, Work } from './triton-client.js';

/** The processes of the clients and the stubs; while one works, the others cost it nothing. */
export class Processes {
  readonly #running: LineProcess[] = [];

  add(process: LineProcess): LineProcess {
    this.#running.push(process);
    return process;
  }

  client(kind: 'grpc' | 'http' | 'grpc-js', url: string): LineProcess {
    return this.add(ofBench('triton-client.ts', kind, url));
  }

  /** Gives its host:port. */
  echoStub(calls: 'unary' | 'streams'): Promise<string> {
    return this.add(ofBench('triton-echo-stub.ts', calls)).line();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.map((process) => process.stop()));
  }
}

/** A TypeScript program of this folder. */
function ofBench(file: string, ...args: string[]): LineProcess {
  const program = path.join(import.meta.dirname, file);
  return new LineProcess(process.execPath, [...process.execArgv, '--expose-gc', program, ...args]);
}

/** A program beside the bench, in a process of its own, that answers each line it is given with one. */
export class LineProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(command: string, args: readonly string[], env?: NodeJS.ProcessEnv) {
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    // One that could not be started or has died says no more: `line` tells.
    for (const end of [child, child.stdin]) end.on('error', () => {});
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error(`${this.#child.spawnargs.join(' ')} ended before it answered`);
    return value;
  }

  async work(work: Work): Promise<Took> {
    this.#child.stdin?.write(`${JSON.stringify(work)}\n`);
    return JSON.parse(await this.line()) as Took;
  }

  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill();
    await exited;
  }
}
