import { CARD_PARAMETER } from '#libs/models';
import {
  balance,
  type BalancedTransport,
  dnsEndpoints,
  type EndpointSource,
  grpcTransport,
  httpTransport,
  leastOutstanding,
  type Policy,
  prefixAffinity,
  roundRobin,
  stallWatchdog,
  traceContext,
  type Transport,
  TritonClient,
} from '#libs/triton';
import { context, propagation } from '@opentelemetry/api';
import type { WorkerConfig } from '../config.js';
import { noteServer } from './note-server.js';
import type { Description, ModelServer, Piece, Question } from './model-server.js';
import { textOfPrompt } from './text-prompt.js';
import { AnswerReader } from './triton-answer.js';
import { modelErrorOf } from './triton-error.js';

const POLICIES: Record<WorkerConfig['TRITON_BALANCE'], () => Policy> = {
  affinity: prefixAffinity,
  least_outstanding: leastOutstanding,
  round_robin: roundRobin,
};
/** Servers that start or stop get no calls, and the others are told apart from them within this time. */
const PROBE_EVERY_MS = 5_000;
/** The longest time that a server which is back goes unnoticed. */
const NOTICE_WITHIN_MS = 2_000;

export interface TritonOptions {
  /** At least one; every address of a host name is a server. */
  readonly urls: readonly string[];
  /** The model's name there. */
  readonly model: string;
  readonly lora?: string | undefined;
  readonly balance: WorkerConfig['TRITON_BALANCE'];
  /** How long an answer may be silent, the wait for its first token included. A model's process that died says nothing. */
  readonly stallMs: number;
  readonly probeEveryMs?: number;
}

/**
 * A model on Triton, by the contract of its vLLM backend:
 * https://github.com/triton-inference-server/vllm_backend
 */
export class TritonServer implements ModelServer {
  readonly runtime = 'triton';
  readonly name: string;
  readonly #model: string;
  readonly #lora: string | undefined;
  readonly #transport: BalancedTransport;
  readonly #client: TritonClient;

  /** Throws the TritonError `invalid_argument` for an address that is none. */
  constructor(options: TritonOptions) {
    const { urls, model, lora, balance: policy, stallMs } = options;
    const { probeEveryMs = PROBE_EVERY_MS } = options;
    this.name = `Triton at ${urls.join(', ')}`;
    this.#model = model;
    this.#lora = lora;
    this.#transport = balance({
      endpoints: everyAddress(urls),
      connect: (url, serverName) => connect(url, serverName, stallMs),
      policy: POLICIES[policy](),
      health: { probeIntervalMs: probeEveryMs, maxEjectionMs: NOTICE_WITHIN_MS },
    });
    this.#client = new TritonClient(this.#transport, {
      interceptors: [traceContext((carrier) => propagation.inject(context.active(), carrier))],
    });
  }

  /** Those that are ready; where none is, those that may be: a server says "not ready" for any of its models. */
  get servers(): number {
    const all = this.#transport.snapshot();
    const ready = all.filter(({ state }) => state === 'ready');
    const usable =
      ready.length > 0
        ? ready
        : all.filter(({ state }) => state === 'starting' || state === 'not_ready');
    const whole = usable.filter(({ brokenModels }) => !brokenModels.includes(this.#model));
    return whole.length > 0 ? whole.length : usable.length;
  }

  async describe(signal: AbortSignal): Promise<Description> {
    try {
      const config = await this.#client.modelConfig(this.#model, { signal });
      // The second for containers before 25.11.
      return { card: cardOf(config), guidance: ['structured_outputs', 'guided_decoding'] };
    } catch (error) {
      throw modelErrorOf(error, this.#subject);
    }
  }

  async *answer(question: Question): AsyncGenerator<Piece, void, undefined> {
    const { signal, affinity } = question;
    const reader = new AnswerReader(this.name);
    try {
      const request = { model: this.#model, fields: this.#fieldsOf(question) };
      const answers = this.#client.generateStream(request, { signal, affinity });
      for await (const fields of answers) yield reader.read(fields);
    } catch (error) {
      throw modelErrorOf(error, this.#subject);
    }
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  get #subject() {
    return { server: this.name, model: this.#model, lora: this.#lora };
  }

  #fieldsOf({ prompt, constraint, guidance, maxTokens, stop }: Question) {
    const parameters = {
      temperature: 0,
      seed: 0,
      max_tokens: maxTokens,
      stop,
      // Of the sampled token alone.
      logprobs: 0,
      ...(this.#lora !== undefined && { lora_name: this.#lora }),
      // The backend takes it as a text within the text.
      ...(constraint && { [guidance]: JSON.stringify({ grammar: constraint.grammar }) }),
    };
    return {
      text_input: textOfPrompt(prompt),
      sampling_parameters: JSON.stringify(parameters),
      stream: true,
      exclude_input_in_output: true,
      return_finish_reason: true,
      return_logprobs: true,
      return_num_input_tokens: true,
      return_num_output_tokens: true,
    };
  }
}

function cardOf(config: object): string | undefined {
  const { parameters } = config as {
    parameters?: Record<string, { string_value?: string } | undefined>;
  };
  return parameters?.[CARD_PARAMETER]?.string_value;
}

function connect(url: URL, serverName: string | undefined, stallMs: number): Transport {
  const options =
    serverName !== undefined && url.protocol.endsWith('s:') ? { tls: { serverName } } : {};
  const make = url.protocol.startsWith('grpc') ? grpcTransport : httpTransport;
  const next = stallWatchdog(stallMs, url.host)(make(url, options));
  return {
    unary: (call) => next.unary(call),
    stream(call) {
      noteServer(url);
      return next.stream(call);
    },
    close: () => next.close(),
  };
}

/** All addresses of all names. A name that does not resolve keeps those that it had. */
function everyAddress(urls: readonly string[]): EndpointSource {
  const sources = urls.map((url) => dnsEndpoints(url));
  const known = new Map<EndpointSource, Awaited<ReturnType<EndpointSource['resolve']>>>();
  return {
    name: `DNS of ${urls.join(', ')}`,
    refreshMs: Math.min(...sources.map(({ refreshMs }) => refreshMs)),
    async resolve() {
      const found = await Promise.allSettled(
        sources.map(async (source) => known.set(source, await source.resolve())),
      );
      const failed = found.find((result) => result.status === 'rejected');
      if (known.size === 0 && failed !== undefined) throw failed.reason;
      return [...known.values()].flat();
    },
  };
}
