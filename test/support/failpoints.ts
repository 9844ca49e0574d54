import { withEdits, type Edit } from './edits.js';

const ENGINE = 'libs/runs/src/run-engine.js';
const DIE = "process.kill(process.pid, 'SIGKILL');";
const APPLY = 'const applied = await this.ledger.apply(runId, input, known);';
const IS_OUTCOME = "['turn.resolve', 'call.settle'].includes(input.type)";

/** Places between two steps of the engine: what was done before it is done, and nothing after it ever is. */
const FAILPOINTS = {
  'commit/add': before(ENGINE, 'await this.#dispatch.offer({', DIE),
  'gate/queue': after('libs/runs/src/dispatch/gated-queue.js', 'if (through.length > 0) {', DIE),
  'claim/ask': after(
    ENGINE,
    'const claimed = await this.ledger.claimTurn(claim);',
    `if (claimed) ${DIE}`,
  ),
  'claim/send': after(ENGINE, APPLY, `if (input.type === 'call.claim' && !applied.refused) ${DIE}`),
  'answer/outcome': before(ENGINE, APPLY, `if (${IS_OUTCOME}) ${DIE}`),
  'outcome/notice': after(ENGINE, APPLY, `if (${IS_OUTCOME} && !applied.refused) ${DIE}`),
} satisfies Record<string, Edit>;

export type Failpoint = keyof typeof FAILPOINTS;

/** What makes a process of an app kill itself, as SIGKILL does, when it first comes to this place. */
export function dyingAt(failpoint: Failpoint): NodeJS.ProcessEnv {
  return withEdits(FAILPOINTS[failpoint]);
}

function before(file: string, find: string, code: string): Edit {
  return { file, find, put: `${code} ${find}` };
}

function after(file: string, find: string, code: string): Edit {
  return { file, find, put: `${find} ${code}` };
}
