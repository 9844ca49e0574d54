import { runEvents } from './sse.mjs';
import { bold, cyan, dim, duration, green, print, red, yellow } from './terminal.mjs';

const RUN_TIMEOUT_MS = 180_000;
const MAX_TEXT = 200;

/**
 * @typedef {object} Call
 * @property {string} id
 * @property {string} name
 * @property {Record<string, unknown>} arguments
 * @property {string} effect
 * @property {string} state
 * @property {unknown} [result]
 * @property {{ code?: string, message: string }} [error]
 */
/**
 * @typedef {object} Run
 * @property {string} id
 * @property {string} state
 * @property {string} [outcome]
 * @property {string} [model]
 * @property {number} [confidence]
 * @property {string} [answer]
 * @property {Call[]} calls
 * @property {{ message: string }} [error]
 * @property {string} traceId
 */
/**
 * @typedef {object} Request
 * @property {Record<string, unknown> & { query: string }} body of POST /v1/runs
 * @property {string} [expect] the tool that should be called, or `irrelevant`
 */
/** @typedef {{ url: string, key: string, signal: AbortSignal }} Api */
/**
 * @typedef {object} Verdict
 * @property {boolean} expected
 * @property {boolean} heldBack the model chose what was expected, but was too unsure of it for a call with an effect
 */
/** @typedef {{ run?: Run } & Verdict} Ended */

/** @type {Verdict} */
const FAILED = { expected: false, heldBack: false };

/**
 * Submits requests, one after the other, and tells what becomes of each as it happens.
 *
 * @param {Api} api
 * @param {Request[]} requests
 * @returns {Promise<Ended[]>}
 */
export async function tellStory(api, requests) {
  const ended = [];
  for (const [index, request] of requests.entries()) {
    print();
    print(bold(`${index + 1}/${requests.length}  “${request.body.query}”`));
    ended.push(await tellRun(api, request));
  }
  return ended;
}

/**
 * @param {Api} api
 * @param {Request} request
 * @returns {Promise<Ended>}
 */
async function tellRun(api, { body, expect }) {
  const signal = AbortSignal.any([api.signal, AbortSignal.timeout(RUN_TIMEOUT_MS)]);
  const headers = { Authorization: `Bearer ${api.key}` };
  /** @type {(path: string) => Promise<Run>} */
  const get = async (path) => (await fetch(`${api.url}${path}`, { headers, signal })).json();
  const began = performance.now();
  const tell = (/** @type {string} */ label, /** @type {string} */ text, at = performance.now()) =>
    print(`${dim(duration(at - began).padStart(9))}  ${label.padEnd(9)} ${text}`);
  try {
    const response = await fetch(`${api.url}/v1/runs`, {
      method: 'POST',
      headers: { ...headers, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      signal,
    });
    const accepted = await response.json();
    if (response.status !== 202) {
      tell('refused', red(`${response.status} ${accepted.detail ?? accepted.title ?? ''}`));
      return FAILED;
    }
    const path = `/v1/runs/${accepted.id}`;
    for await (const { type, data } of runEvents(`${api.url}${path}/events`, headers, signal)) {
      const at = performance.now();
      if (type === 'run.accepted') tell('accepted', `run ${accepted.id}`, at);
      if (type === 'turn.claimed') tell('turn', 'a worker asks the model', at);
      if (type === 'turn.delayed') {
        tell('turn', yellow(`waits for the model: ${data.error?.message ?? ''}`), at);
      }
      if (type === 'turn.failed') tell('turn', red(`failed: ${data.error?.message ?? ''}`), at);
      if (type === 'turn.resolved') {
        const { calls } = await get(path);
        const by = dim(`${data.model}, confidence ${Number(data.confidence).toFixed(2)}`);
        if (data.outcome === 'irrelevant') tell('resolved', `no tool fits  ${by}`, at);
        for (const call of calls) tell('resolved', `${cyan(callText(call))}  ${by}`, at);
        for (const { name, error } of calls.filter(isHeldBack)) {
          tell('held back', `${name}: ${error?.message}`, at);
        }
      }
      const waits =
        type === 'turn.resolved' || type === 'call.unknown' ? await get(path) : undefined;
      const waiting = waits?.calls.filter(isForPeople) ?? [];
      for (const { name, state } of waiting) {
        tell('waits', yellow(`${name} is ${state}: npx hammerline runs show ${accepted.id}`), at);
      }
      // A person decides, in their own time.
      if (waits && waiting.length > 0) return { run: waits, ...judge(waits, expect) };
      if (type === 'call.settled') {
        const call = (await get(path)).calls.find(({ id }) => id === data.callId);
        if (call) tell('executed', settledText(call), at);
      }
    }
    const run = await get(path);
    if (run.answer) tell('answer', cut(run.answer));
    const verdict = judge(run, expect);
    tell('result', resultText(run, verdict, expect));
    return { run, ...verdict };
  } catch (error) {
    api.signal.throwIfAborted();
    tell('result', red(`✗ ${/** @type {Error} */ (error).message}`));
    return FAILED;
  }
}

/**
 * @param {Run} run
 * @param {string | undefined} expect
 * @returns {Verdict}
 */
export function judge({ state, outcome, calls }, expect) {
  const chosen =
    expect === 'irrelevant'
      ? outcome === 'irrelevant' && calls.length === 0
      : expect === undefined || (calls.length > 0 && calls.every(({ name }) => name === expect));
  const isWaiting = (/** @type {Call} */ call) =>
    isHeldBack(call) || call.state === 'awaiting_approval';
  const unsure =
    calls.some(isWaiting) && calls.every((call) => isWaiting(call) || call.state === 'succeeded');
  return { expected: chosen && state === 'succeeded', heldBack: chosen && unsure };
}

/** @param {Call} call */
function isForPeople({ state }) {
  return state === 'awaiting_approval' || state === 'outcome_unknown';
}

/** @param {Call} call */
function isHeldBack({ state, error }) {
  return state === 'denied' && error?.code === 'low_confidence';
}

/** @param {Run} run @param {Verdict} verdict @param {string | undefined} expect */
function resultText({ state, outcome, error }, { expected, heldBack }, expect) {
  if (heldBack) return yellow('– as expected, but held back');
  const text = [state, outcome, error?.message].filter(Boolean).join(' · ');
  if (expected) return `${green('✓')} ${text}`;
  return `${red('✗')} ${text}${red(` (expected: ${expect ?? 'succeeded'})`)}`;
}

/**
 * How a whole sample ended. Calls that were held back are no fault of the start: it has done what it must.
 *
 * @param {Verdict[]} ended
 * @returns {'succeeded' | 'held_back' | 'failed'}
 */
export function outcomeOf(ended) {
  if (ended.length === 0) return 'failed';
  if (ended.every(({ expected }) => expected)) return 'succeeded';
  return ended.every(({ expected, heldBack }) => expected || heldBack) ? 'held_back' : 'failed';
}

/** @param {Call} call */
function callText({ name, arguments: given }) {
  const list = Object.entries(given).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
  return cut(`${name}(${list.join(', ')})`);
}

/** @param {Call} call */
function settledText({ name, state, result, error }) {
  if (state === 'succeeded') return `${name} → ${cut(JSON.stringify(result) ?? '')}`;
  return yellow(`${name} ${state}: ${error?.message ?? ''}`);
}

/** @param {string} text */
function cut(text) {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

/**
 * The one line of `--once` for programs. An effect id is the id of a call, which an HTTP tool received as its
 * Idempotency-Key: only of calls that were sent, and that change something.
 *
 * @param {Ended[]} ended
 * @param {Set<string>} httpTools names
 */
export function summary(ended, httpTools) {
  const runs = ended.flatMap(({ run, expected, heldBack }) =>
    run ? [{ ...summarize(run), expected, heldBack }] : [],
  );
  return {
    runs,
    id: runs[0]?.id,
    state: outcomeOf(ended),
    model: runs.find(({ model }) => model)?.model,
    calls: runs.flatMap(({ calls }) => calls),
    traceId: runs[0]?.traceId,
    effectIds: runs.flatMap(({ effectIds }) => effectIds),
  };

  /** @param {Run} run */
  function summarize({ id, state, outcome, model, confidence, calls, traceId }) {
    return {
      id,
      state,
      outcome,
      model,
      confidence,
      calls: calls.map((call) => ({
        name: call.name,
        arguments: call.arguments,
        state: call.state,
      })),
      traceId,
      effectIds: calls
        .filter(({ name, effect }) => httpTools.has(name) && effect !== 'read')
        .filter(({ state: it }) => it === 'succeeded' || it === 'outcome_unknown')
        .map((call) => call.id),
    };
  }
}
