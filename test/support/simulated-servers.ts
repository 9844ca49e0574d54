import type { Limit } from '../../apps/worker/src/feed/limit.js';

export interface SimulatedRequest {
  inputTokens: number;
  outputTokens: number;
  /** Time of the prompt and of one token, on a server that does nothing else. */
  promptMs: number;
  tokenMs: number;
}

/** Servers that work on `slots` requests at once each; others wait there in order. */
export interface Servers {
  count: number;
  slots: number;
  /** How much longer everything takes while `batch` requests are worked on. */
  slowness: (batch: number) => number;
}

interface Job extends SimulatedRequest {
  server: number;
  inFlight: number;
  sentAt: number;
  firstTokenAt: number;
  /** Milliseconds of undisturbed work that are left of the prompt and of the answer. */
  promptLeft: number;
  answerLeft: number;
}

export interface Simulation {
  /** Answers, in order. */
  answers: { at: number; totalMs: number }[];
  limits: { at: number; limit: number }[];
}

/**
 * Runs requests against simulated servers under a limit, with no end of requests, on a clock of its own. Exact between
 * events: each job's work shrinks at its server's present speed.
 *
 * @param options.makeLimit is given the simulation's clock
 * @param options.events what happens to the servers, by time
 * @param options.demand most requests in flight that there is work for
 */
export function simulate(options: {
  makeLimit: (now: () => number) => Limit;
  servers: Servers;
  request: () => SimulatedRequest;
  untilMs: number;
  events?: { at: number; change: (servers: Servers) => void }[];
  demand?: (now: number) => number;
}): Simulation {
  const { servers, request, untilMs, demand = () => Infinity } = options;
  const events = [...(options.events ?? [])];
  let now = 0;
  const limit = options.makeLimit(() => now);
  let jobs: Job[] = [];
  const result: Simulation = { answers: [], limits: [] };
  while (now < untilMs) {
    limit.setServers(servers.count);
    const known = jobs.length;
    while (jobs.length < limit.current && jobs.length < demand(now)) {
      const made = request();
      jobs.push({
        ...made,
        server: leastBusy(jobs, servers.count),
        inFlight: 0,
        sentAt: now,
        firstTokenAt: Infinity,
        promptLeft: made.promptMs,
        answerLeft: made.tokenMs * Math.max(0, made.outputTokens - 1),
      });
    }
    for (const job of jobs.slice(known)) job.inFlight = jobs.length;
    const working = Array.from({ length: servers.count }, (_, at) =>
      jobs.filter(({ server }) => server === at).slice(0, servers.slots),
    );
    const speeds = working.map((batch) => 1 / servers.slowness(batch.length));
    const busy = working.flat();
    const step = Math.min(
      (events[0]?.at ?? Infinity) - now,
      untilMs - now,
      ...busy.map((job) => (job.promptLeft || job.answerLeft) / (speeds[job.server] ?? 1)),
    );
    now += step;
    for (const job of busy) {
      const done = step * (speeds[job.server] ?? 1);
      if (job.promptLeft > 0) {
        job.promptLeft = rest(job.promptLeft - done);
        if (job.promptLeft === 0) job.firstTokenAt = now;
      } else job.answerLeft = rest(job.answerLeft - done);
    }
    const ended = new Set(busy.filter((job) => job.promptLeft === 0 && job.answerLeft === 0));
    jobs = jobs.filter((job) => !ended.has(job));
    for (const job of ended) {
      const totalMs = now - job.sentAt;
      result.answers.push({ at: now, totalMs });
      limit.record({ ...job, firstTokenMs: job.firstTokenAt - job.sentAt, totalMs });
    }
    if (result.limits.at(-1)?.limit !== limit.current) {
      result.limits.push({ at: now, limit: limit.current });
    }
    while (events[0] && events[0].at <= now) {
      events.shift()?.change(servers);
      // Requests at servers that are gone go to those that are left.
      for (const job of jobs) if (job.server >= servers.count) job.server %= servers.count;
    }
  }
  return result;
}

/** Answers per second between two times. */
export function throughput({ answers }: Simulation, from: number, to: number): number {
  return (answers.filter(({ at }) => at > from && at <= to).length * 1_000) / (to - from);
}

/** A quantile of the time that answers took between two times. */
export function latency({ answers }: Simulation, share: number, from = 0, to = Infinity): number {
  const times = answers.filter(({ at }) => at > from && at <= to).map(({ totalMs }) => totalMs);
  return times.toSorted((x, y) => x - y)[Math.floor(times.length * share)] ?? NaN;
}

/** Smallest, time-weighted mean and largest limit between two times. */
export function limitsBetween(
  { limits }: Simulation,
  from: number,
  to: number,
): { min: number; mean: number; max: number } {
  let area = 0;
  const seen: number[] = [];
  for (const [index, { at, limit }] of limits.entries()) {
    const start = Math.max(at, from);
    const end = Math.min(limits[index + 1]?.at ?? Infinity, to);
    if (end <= start) continue;
    area += limit * (end - start);
    seen.push(limit);
  }
  return { min: Math.min(...seen), mean: area / (to - from), max: Math.max(...seen) };
}

function leastBusy(jobs: readonly Job[], count: number): number {
  const loads = Array.from({ length: count }, () => 0);
  for (const { server } of jobs) loads[server] = (loads[server] ?? 0) + 1;
  return loads.indexOf(Math.min(...loads));
}

/** Rounding must not leave a job with a trillionth of a millisecond. */
function rest(ms: number): number {
  return ms < 1e-6 ? 0 : ms;
}
