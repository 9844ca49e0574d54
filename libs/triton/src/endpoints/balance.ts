import { whileWanted } from '../call-limits.js';
import type {
  StreamCall,
  StreamOperations,
  Transport,
  UnaryCall,
  UnaryOperations,
} from '../transport.js';
import { invalidArgument, TritonError } from '../triton-error.js';
import { blame } from './blame.js';
import { inBandError, modelOf, modelOfStream } from './call-model.js';
import type { EndpointSource } from './dns-endpoints.js';
import { addressOf, type EndpointAddress, readUrl } from './endpoint-address.js';
import { Endpoint, type EndpointSnapshot, type EndpointState } from './endpoint.js';
import { type Health, type HealthOptions, readHealth } from './health.js';
import { leastOutstanding, type Policy } from './policies.js';
import { SourceWatch } from './source-watch.js';

export interface BalanceOptions {
  /** URLs, or servers that come and go, as of `dnsEndpoints`. */
  readonly endpoints: readonly (string | URL)[] | EndpointSource;
  /** The way to one server. Interceptors that concern one server, as `stallWatchdog`, belong here. */
  readonly connect: (url: URL, serverName: string | undefined) => Transport;
  /** Default: `leastOutstanding()`. */
  readonly policy?: Policy | undefined;
  readonly health?: HealthOptions | undefined;
  /** Told of each change, after it; what it throws is not caught. */
  readonly onChange?: ((change: BalanceChange) => void) | undefined;
  /** Numbers from 0 to 1, for tests. */
  readonly random?: (() => number) | undefined;
}

export type BalanceChange =
  /** An endpoint has come (`was` absent), or is in another state. */
  | { readonly endpoint: EndpointSnapshot; readonly was?: EndpointState | undefined }
  /** The addresses could not be read; those known before stay. */
  | { readonly unresolved: TritonError };

export interface BalancedTransport extends Transport {
  /** All endpoints, those that drain included. */
  snapshot(): EndpointSnapshot[];
}

/**
 * One transport over several servers.
 *
 * An endpoint gets calls while it is `ready`. Failures in a row that are the endpoint's (see `blame`) eject it for a time;
 * then ServerReady is asked, and only an answer of ready brings it back. If less than `panicShare` of the endpoints is fit,
 * those `ejected` are used as well, since it may be the network of this client that fails, and the rest could not bear
 * everything. Those `not_ready` are used only if there are no others: rather than nobody, as one model that does not load
 * makes a server say that of itself (`--strict-readiness`). Those `down`, which have just failed a probe, are never used.
 *
 * The dead process of a model does not show in any probe: the server goes on to call the model ready. So the model alone
 * gets no calls at that endpoint, for times as above; then one call tries, and its success brings the model back: someone
 * has unloaded and loaded it, or started the server again. If it is broken everywhere, it is called all the same.
 *
 * A call that an endpoint has not looked at (progress `unsent`, or reason `not_ready`) moves on to the next one at once,
 * to each at most once; a repetition by `retries` does not. Where a model was not ready and another endpoint then answered,
 * the model is left out as above. Nothing else is sent twice: each call is done by one endpoint, also one that loads a
 * model or changes a setting.
 *
 * @throws TritonError of calls: `unavailable` `no_endpoint` that says of each endpoint why it is not fit; `unavailable`
 * `connection` while a host name has never resolved
 */
export function balance(options: BalanceOptions): BalancedTransport {
  return new Balancer(options);
}

class Balancer implements BalancedTransport {
  readonly #connect: BalanceOptions['connect'];
  readonly #policy: Policy;
  readonly #health: Health;
  readonly #onChange: BalanceOptions['onChange'];
  readonly #endpoints = new Map<string, Endpoint>();
  /** Those that may be chosen: kept, as it changes far less often than it is asked for. */
  #usable: readonly Endpoint[] = [];
  readonly #watch: SourceWatch | undefined;
  #closed = false;

  constructor({ endpoints, connect, policy, health, onChange, random }: BalanceOptions) {
    this.#connect = connect;
    this.#policy = policy ?? leastOutstanding();
    this.#health = readHealth(health, random);
    this.#onChange = onChange;
    if ('resolve' in endpoints) {
      this.#watch = new SourceWatch(endpoints, {
        found: (addresses) => this.#replace(addresses),
        failed: (unresolved) => this.#tell({ unresolved }),
      });
    } else {
      this.#replace(readList(endpoints));
    }
  }

  async unary<O extends keyof UnaryOperations>(call: UnaryCall<O>): Promise<UnaryOperations[O][1]> {
    const unresolved = this.#watch?.ready();
    if (unresolved !== undefined) await resolved(unresolved, call);
    const model = modelOf(call);
    const passed: Passed[] = [];
    for (;;) {
      const endpoint = this.#choose(call, model, passed);
      endpoint.enter(model);
      try {
        const answer = await endpoint.transport.unary(call);
        endpoint.answered(model);
        leaveOut(model, passed);
        return answer;
      } catch (error) {
        const failure = this.#failed(endpoint, error, model);
        if (!mayMove(call, failure)) throw failure;
        passed.push({ endpoint, failure });
      } finally {
        endpoint.leave();
      }
    }
  }

  async *stream<O extends keyof StreamOperations>(
    call: StreamCall<O>,
  ): AsyncGenerator<StreamOperations[O][1], void, undefined> {
    const unresolved = this.#watch?.ready();
    if (unresolved !== undefined) await resolved(unresolved, call);
    const model = modelOfStream(call);
    const requests = Array.isArray(call.requests) ? call.requests.length : Infinity;
    const passed: Passed[] = [];
    for (;;) {
      const endpoint = this.#choose(call, model, passed);
      endpoint.enter(model);
      let answered = false;
      let told = false;
      try {
        for await (const answer of endpoint.transport.stream(call)) {
          const error = inBandError(answer);
          if (requests === 1 && !answered && mayMove(call, error)) throw error;
          if (error !== undefined) endpoint.failed(error, model);
          else if (!told) {
            endpoint.answered(model);
            leaveOut(model, passed);
          }
          told = error === undefined;
          answered = true;
          yield answer;
        }
        if (!told) endpoint.answered(undefined);
        return;
      } catch (error) {
        const failure = this.#failed(endpoint, error, model);
        // Requests that are no array cannot be read again.
        if (answered || requests === Infinity || !mayMove(call, failure)) throw failure;
        passed.push({ endpoint, failure });
      } finally {
        endpoint.leave();
      }
    }
  }

  snapshot(): EndpointSnapshot[] {
    return Array.from(this.#endpoints.values(), (endpoint) => endpoint.snapshot());
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watch?.close();
    await Promise.all(Array.from(this.#endpoints.values(), (endpoint) => endpoint.close()));
  }

  /** @throws the last failure, where the call has been everywhere */
  #choose(
    { operation, context }: UnaryCall | StreamCall,
    model: string | undefined,
    passed: readonly Passed[],
  ): Endpoint {
    if (this.#closed) throw new TritonError('cancelled', 'the client was closed', { operation });
    let candidates = this.#usable;
    if (passed.length > 0) {
      candidates = candidates.filter((one) => !passed.some(({ endpoint }) => endpoint === one));
    }
    if (candidates.some((endpoint) => endpoint.hasBrokenModels)) {
      candidates = preferring(candidates, (endpoint) => endpoint.runs(model));
    }
    const { affinity, avoid } = context;
    if (avoid !== undefined) {
      candidates = preferring(candidates, ({ address }) => !avoid.includes(address));
    }
    const chosen = candidates.length === 0 ? -1 : this.#policy(candidates, affinity);
    const endpoint = candidates[chosen];
    if (endpoint !== undefined) return endpoint;
    throw passed.at(-1)?.failure ?? this.#noEndpoint(operation);
  }

  #noEndpoint(operation: string): TritonError {
    const reasons = this.snapshot().map(
      ({ address, state, problem }) =>
        `${address} is ${state}${problem === undefined ? '' : ` (${problem})`}`,
    );
    for (const endpoint of this.#endpoints.values()) endpoint.wake();
    const message = `no endpoint is fit: ${reasons.join('; ')}`;
    return new TritonError('unavailable', message, { reason: 'no_endpoint', operation });
  }

  #failed(endpoint: Endpoint, error: unknown, model: string | undefined): unknown {
    endpoint.failed(error, model);
    if (!(error instanceof TritonError)) return error;
    if (error.reason === 'connection') this.#watch?.soon();
    return error.endpoint === undefined ? error.with({ endpoint: endpoint.address }) : error;
  }

  #replace(addresses: readonly EndpointAddress[]): void {
    if (this.#closed) return;
    const found = new Set<string>();
    for (const { url, serverName } of addresses) {
      const address = addressOf(url);
      found.add(address);
      const known = this.#endpoints.get(address);
      if (known === undefined) this.#add(address, this.#connect(url, serverName));
      else known.revive();
    }
    for (const endpoint of this.#endpoints.values()) {
      if (!found.has(endpoint.address)) endpoint.retire();
    }
    this.#gatherUsable();
  }

  #add(address: string, transport: Transport): void {
    const endpoint = new Endpoint(address, transport, this.#health, (changed, was) => {
      if (changed.state === 'closed') this.#endpoints.delete(address);
      this.#gatherUsable();
      this.#tell({ endpoint: changed.snapshot(), was });
    });
    this.#endpoints.set(address, endpoint);
    this.#tell({ endpoint: endpoint.snapshot() });
  }

  #gatherUsable(): void {
    const current = [...this.#endpoints.values()].filter(({ state }) => state !== 'draining');
    const fit = current.filter(({ state }) => state === 'ready');
    if (fit.length > 0 && fit.length >= this.#health.panicShare * current.length) {
      this.#usable = fit;
      return;
    }
    const notReady = current.filter(({ state }) => state === 'not_ready');
    const others = current.filter(({ state }) => state !== 'not_ready' && state !== 'down');
    this.#usable = others.length > 0 ? others : notReady;
  }

  #tell(change: BalanceChange): void {
    const onChange = this.#onChange;
    // Later, so that it finds everything in order, and so that what it throws does not end a call.
    if (onChange !== undefined) queueMicrotask(() => onChange(change));
  }
}

function readList(list: readonly (string | URL)[]): EndpointAddress[] {
  if (list.length === 0)
    throw invalidArgument('endpoints', 'there is none', 'give at least one URL');
  const addresses = list.map((url, at) => ({ url: readUrl(url, `endpoints[${at}]`) }));
  const seen = new Set<string>();
  for (const [at, { url }] of addresses.entries()) {
    const address = addressOf(url);
    if (seen.has(address)) {
      throw invalidArgument(
        `endpoints[${at}]`,
        `${address} is there already`,
        'name each server once',
      );
    }
    seen.add(address);
  }
  return addresses;
}

/** An endpoint that has not looked at a call. */
interface Passed {
  readonly endpoint: Endpoint;
  readonly failure: TritonError;
}

/** Whether a failed call may go to another endpoint at once: nothing of it ran, and it is no repetition. */
function mayMove(
  { operation, context }: UnaryCall | StreamCall,
  failure: unknown,
): failure is TritonError {
  if (!(failure instanceof TritonError) || context.avoid !== undefined) return false;
  // What loads or unloads a model is meant for the server where that is so.
  if (failure.reason === 'not_ready') return !operation.startsWith('Repository');
  return failure.code === 'unavailable' && failure.progress === 'unsent';
}

/** The model runs elsewhere: where it was not ready, it gets no calls for a while. One that no endpoint has is left out nowhere. */
function leaveOut(model: string | undefined, passed: readonly Passed[]): void {
  if (model === undefined) return;
  for (const { endpoint, failure } of passed) {
    if (failure.reason === 'not_ready' && blame(failure) === 'request') endpoint.lacks(model);
  }
}

/** Those that pass, if there are any. */
function preferring(
  endpoints: readonly Endpoint[],
  test: (endpoint: Endpoint) => boolean,
): readonly Endpoint[] {
  const passing = endpoints.filter(test);
  return passing.length > 0 ? passing : endpoints;
}

/** Waits for the first addresses. */
async function resolved(addresses: Promise<void>, call: UnaryCall | StreamCall): Promise<void> {
  try {
    await whileWanted(addresses, call);
  } catch (error) {
    throw error instanceof TritonError ? error.with({ operation: call.operation }) : error;
  }
}
