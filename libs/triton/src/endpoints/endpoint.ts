import type { Transport } from '../transport.js';
import { TritonError } from '../triton-error.js';
import { LONGEST_DELAY } from '../call-limits.js';
import { blame } from './blame.js';
import { BrokenModels } from './broken-models.js';
import { hashText } from './hash.js';
import { ejectionMs, type Health } from './health.js';
import type { Candidate } from './policies.js';

/**
 * - `starting`: not asked yet whether it is ready (only with `probeIntervalMs`)
 * - `ready`
 * - `ejected`: suspected after failures in a row; the next probe, or an answer to a call, decides
 * - `not_ready`: it says so itself, in answer to a probe; the next probe decides
 * - `down`: a probe failed; the next probe decides
 * - `draining`: no longer among the addresses; the calls under way go on
 * - `closed`
 */
export type EndpointState =
  'starting' | 'ready' | 'ejected' | 'not_ready' | 'down' | 'draining' | 'closed';

/** An endpoint as operators see it. */
export interface EndpointSnapshot {
  /** `host:port`. */
  readonly address: string;
  readonly state: EndpointState;
  /** A probe is under way. */
  readonly probing: boolean;
  /** Milliseconds until the next probe, if one is due. */
  readonly nextProbeMs?: number | undefined;
  readonly inFlight: number;
  /** Failures in a row. */
  readonly failures: number;
  /** The last failure. */
  readonly problem?: string | undefined;
  /** Models that get no calls there: their process is dead, or they are loaded elsewhere only. */
  readonly brokenModels: readonly string[];
}

/** One server: its transport, the count of its calls, and what is known of its health. */
export class Endpoint implements Candidate {
  readonly address: string;
  readonly seed: number;
  readonly transport: Transport;
  inFlight = 0;
  readonly #health: Health;
  readonly #onChange: (endpoint: Endpoint, was: EndpointState) => void;
  #state: EndpointState;
  #failures = 0;
  /** Ejections and failed probes since it was last well for long. */
  #ejections = 0;
  #readySince = -Infinity;
  #problem: string | undefined;
  readonly #broken: BrokenModels;
  #probing = false;
  #lastProbe = -Infinity;
  #nextProbe: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    address: string,
    transport: Transport,
    health: Health,
    onChange: (endpoint: Endpoint, was: EndpointState) => void,
  ) {
    this.address = address;
    this.seed = hashText(address);
    this.transport = transport;
    this.#health = health;
    this.#broken = new BrokenModels(health);
    this.#onChange = onChange;
    this.#state = this.#firstState();
    if (this.#state === 'starting') this.#schedule(0);
  }

  get state(): EndpointState {
    return this.#state;
  }

  get hasBrokenModels(): boolean {
    return this.#broken.size > 0;
  }

  /** Whether a call of the model may go there now. */
  runs(model: string | undefined): boolean {
    return model === undefined || this.#broken.runs(model);
  }

  /** A call of the model begins; {@link leave} ends it. */
  enter(model: string | undefined): void {
    this.inFlight++;
    if (model !== undefined) this.#broken.enter(model);
  }

  leave(): void {
    this.inFlight--;
    if (this.#state === 'draining' && this.inFlight === 0) this.#letGo();
  }

  /** The server answered a call of the model. */
  answered(model: string | undefined): void {
    if (model !== undefined) this.#broken.answered(model);
    this.#alive();
  }

  /** A call of the model failed. */
  failed(error: unknown, model: string | undefined): void {
    switch (blame(error)) {
      case 'endpoint':
        this.#suspect(error);
        break;
      case 'model':
        this.#alive();
        if (model !== undefined) this.#broken.failed(model);
        break;
      case 'request':
        this.#alive();
        break;
      case 'nobody':
        break;
    }
  }

  /** The model is not there, but another endpoint has it. */
  lacks(model: string): void {
    this.#broken.failed(model);
  }

  /** Calls wait for an endpoint: a probe is brought forward, but not so that they follow each other closely. */
  wake(): void {
    const rested = performance.now() - this.#lastProbe >= this.#health.ejectionMs;
    if (this.#state === 'down' && rested) void this.#probe();
  }

  /** No longer among the addresses: closed as soon as no call is under way. */
  retire(): void {
    if (this.#state === 'draining' || this.#state === 'closed') return;
    this.#unschedule();
    this.#become('draining');
    if (this.inFlight === 0) this.#letGo();
  }

  /** Among the addresses again, before it was closed. */
  revive(): void {
    if (this.#state !== 'draining') return;
    const state = this.#firstState();
    if (state === 'starting') this.#schedule(0);
    this.#become(state);
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#unschedule();
    this.#become('closed');
    await this.transport.close();
  }

  snapshot(): EndpointSnapshot {
    return {
      address: this.address,
      state: this.#state,
      probing: this.#probing,
      nextProbeMs:
        this.#nextProbe === undefined
          ? undefined
          : Math.max(0, this.#nextProbe - performance.now()),
      inFlight: this.inFlight,
      failures: this.#failures,
      problem: this.#problem,
      brokenModels: this.#broken.names,
    };
  }

  #firstState(): EndpointState {
    return Number.isFinite(this.#health.probeIntervalMs) ? 'starting' : 'ready';
  }

  #letGo(): void {
    // Nobody waits for it, and nothing is left that could fail.
    this.close().catch(() => {});
  }

  /** It answered something. That clears a suspicion, but not what a probe found: a server that shuts down still answers. */
  #alive(): void {
    this.#failures = 0;
    if (this.#state === 'ejected' || this.#state === 'starting') this.#beReady();
  }

  #suspect(error: unknown): void {
    if (this.#state !== 'ready' && this.#state !== 'starting') return;
    this.#problem = this.#said(error);
    if (++this.#failures >= this.#health.failures) this.#eject('ejected');
  }

  #eject(state: 'ejected' | 'down'): void {
    if (this.#state === 'ready') {
      const wellFor = performance.now() - this.#readySince;
      if (wellFor > this.#health.maxEjectionMs) this.#ejections = 0;
    }
    this.#schedule(ejectionMs(this.#health, ++this.#ejections));
    this.#become(state);
  }

  #beReady(): void {
    this.#failures = 0;
    if (this.#state !== 'ready') this.#readySince = performance.now();
    this.#problem = undefined;
    this.#schedule(this.#health.probeIntervalMs);
    this.#become('ready');
  }

  async #probe(): Promise<void> {
    if (this.#probing) return;
    this.#unschedule();
    this.#probing = true;
    const { metadata, probeTimeoutMs } = this.#health;
    const context = { metadata, deadline: performance.now() + probeTimeoutMs };
    const outcome = await this.transport
      .unary({ operation: 'ServerReady', request: {}, context })
      .then(
        (ready) => ({ ready }),
        (error: unknown) => ({ error }),
      );
    this.#probing = false;
    this.#lastProbe = performance.now();
    if (this.#state !== 'draining' && this.#state !== 'closed') this.#judge(outcome);
  }

  #judge(outcome: { ready: boolean } | { error: unknown }): void {
    if ('ready' in outcome && !outcome.ready) {
      this.#problem = 'it says that it is not ready';
      // No failure, so no doubling: it may be loading its models.
      this.#schedule(ejectionMs(this.#health, 1));
      this.#become('not_ready');
    } else if ('ready' in outcome || isRefusal(outcome.error)) {
      // A server that refuses the question is there.
      this.#beReady();
    } else if (this.#state === 'ready') {
      this.#schedule(this.#health.probeIntervalMs);
      this.#suspect(outcome.error);
    } else {
      this.#problem = this.#said(outcome.error);
      this.#eject('down');
    }
  }

  #become(state: EndpointState): void {
    const was = this.#state;
    this.#state = state;
    if (state !== was) this.#onChange(this, was);
  }

  #schedule(delayMs: number): void {
    this.#unschedule();
    if (delayMs === Infinity) return;
    this.#nextProbe = performance.now() + delayMs;
    this.#timer = setTimeout(() => void this.#probe(), Math.min(delayMs, LONGEST_DELAY));
    this.#timer.unref();
  }

  #unschedule(): void {
    clearTimeout(this.#timer);
    this.#nextProbe = undefined;
  }

  /** What went wrong, without the address that the transports put before it. */
  #said(error: unknown): string {
    const message = error instanceof Error ? error.message : String(error);
    const prefix = `${this.address}: `;
    return message.startsWith(prefix) ? message.slice(prefix.length) : message;
  }
}

/** No model is asked for that could be what is unavailable. */
function isRefusal(error: unknown): boolean {
  const isUnavailable = error instanceof TritonError && error.code === 'unavailable';
  return !isUnavailable && blame(error) === 'request';
}
