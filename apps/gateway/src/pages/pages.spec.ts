import { createHash } from 'node:crypto';
import type { Call, Run, RunEvent } from '#libs/contracts';
import type { StoredSpan } from '#libs/runs';
import { describe, expect, it } from 'vitest';
import { age, duration } from './format.js';
import { PAGE_POLICY } from './layout.js';
import { LOGIN_PAGE } from './login-page.js';
import { renderRun } from './run-page.js';
import { renderRuns } from './runs-page.js';

const HOSTILE = `"'><script>alert(1)</script><img src=x onerror=alert(2)>`;
const NOW = Date.parse('2026-11-22T10:00:00.000Z');

function aRun(more: Partial<Run> = {}): Run {
  return {
    id: '019a3f0e-6f6b-7c1a-9a53-2f1d6c0b7e11',
    state: 'succeeded',
    mode: 'execute',
    toolset: 'office',
    query: 'Tell Dana',
    outcome: 'calls',
    model: 'a-model',
    confidence: 0.5,
    calls: [aCall()],
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    priority: 0,
    createdAt: '2026-11-22T09:59:00.000Z',
    deadline: '2026-11-23T09:59:00.000Z',
    endedAt: '2026-11-22T09:59:01.500Z',
    ...more,
  };
}

function aCall(more: Partial<Call> = {}): Call {
  return {
    id: 'c1',
    name: 'send_message',
    arguments: { text: 'hello' },
    effect: 'once',
    state: 'succeeded',
    attempt: 1,
    turn: 1,
    result: { id: 'm-1' },
    ...more,
  };
}

function aSpan(more: Partial<StoredSpan> = {}): StoredSpan {
  return {
    spanId: 's1',
    name: 'POST /v1/runs',
    kind: 'server',
    service: 'hammerline-gateway',
    start: 1_000,
    end: 1_100,
    attributes: {},
    links: [],
    ...more,
  };
}

const EVENT: RunEvent = { seq: 1, type: 'run.accepted', at: '2026-11-22T09:59:00.000Z', data: {} };

function pageOf(run: Run, spans: StoredSpan[] = [], events: RunEvent[] = [EVENT]): string {
  return renderRun(run, { spans, events, now: NOW });
}

/** Every tag of a page, without our own style and script. */
function tagsOf(page: string): string[] {
  return page.replace(/<(style|script)>[^]*?<\/\1>/g, '').match(/<[a-z][^>]*>/g) ?? [];
}

/** A tag without what stands in its attributes. */
function unquoted(tag: string): string {
  return tag.replaceAll(/"[^"]*"/g, '');
}

describe('a run whose turn was handed back', () => {
  const delayed: RunEvent = {
    ...EVENT,
    seq: 3,
    type: 'turn.delayed',
    data: { turn: 1, attempt: 1, error: { code: 'model_unavailable', message: `away ${HOSTILE}` } },
  };

  it('says what it waits for, as text, and not that it failed', () => {
    const page = pageOf(aRun({ state: 'queued', calls: [], endedAt: undefined }), [], [delayed]);
    expect(page).toContain('Waiting for the model: away ');
    expect(page).not.toContain(HOSTILE);
    expect(page).not.toContain('✕');
  });

  it('does not wait any more once it goes on', () => {
    const claimed: RunEvent = { ...EVENT, seq: 4, type: 'turn.claimed' };
    const run = aRun({ state: 'inferring', calls: [], endedAt: undefined });
    expect(pageOf(run, [], [delayed, claimed])).not.toContain('Waiting for');
  });
});

describe('the pages', () => {
  it('show hostile text as text, wherever it stands', () => {
    const run = aRun({
      query: HOSTILE,
      toolset: HOSTILE,
      model: HOSTILE,
      error: { code: 'tool_failed', message: HOSTILE },
      calls: [
        aCall({ name: HOSTILE, arguments: { [HOSTILE]: HOSTILE }, result: HOSTILE }),
        aCall({ state: 'failed', error: { code: 'tool_failed', message: HOSTILE } }),
      ],
    });
    const span = aSpan({
      name: HOSTILE,
      service: HOSTILE,
      spanId: HOSTILE,
      error: HOSTILE,
      attributes: { [HOSTILE]: HOSTILE, 'error.type': HOSTILE },
    });
    const event = { ...EVENT, data: { name: HOSTILE, state: HOSTILE } };
    const pages = [
      pageOf(run, [span], [event]),
      renderRuns({ runs: [run], next: HOSTILE }, { now: NOW, first: true }),
    ];
    for (const page of pages) {
      expect(page).toContain('&lt;script&gt;alert(1)');
      expect(tagsOf(page).filter((tag) => / on|^<(script|img)/.test(unquoted(tag)))).toEqual([]);
    }
  });

  it('allow nothing but their own style and script', () => {
    const page = pageOf(aRun({ state: 'executing' }));
    const inline = [...page.matchAll(/<(?:style|script)>([^]*?)<\/(?:style|script)>/g)];
    expect(inline).toHaveLength(2);
    for (const [, text = ''] of inline) {
      expect(PAGE_POLICY).toContain(
        `'sha256-${createHash('sha256').update(text).digest('base64')}'`,
      );
    }
    expect(PAGE_POLICY).toMatch(/^default-src 'none'/);
    expect(tagsOf(page).filter((tag) => tag.includes('style='))).toEqual([]);
  });

  it('follow a run only while it is live', () => {
    expect(pageOf(aRun({ state: 'executing' }))).toContain('EventSource');
    expect(pageOf(aRun())).not.toContain('EventSource');
    const justEnded = aRun({ endedAt: new Date(NOW - 100).toISOString() });
    expect(pageOf(justEnded)).toContain('data-ended="yes"');
    expect(pageOf(justEnded)).toContain('EventSource');
  });

  it('say what a waiting call needs from a person, and nothing once its run is over', () => {
    const waiting = aCall({ state: 'awaiting_approval', argumentsHash: 'abc', result: undefined });
    const unknown = aCall({ id: 'c2', state: 'outcome_unknown', result: undefined });
    const run = aRun({ state: 'executing', calls: [waiting, unknown], endedAt: undefined });
    const page = pageOf(run);
    for (const word of ['approve', 'deny']) {
      expect(page).toContain(`hammerline runs ${word} ${run.id} c1 --hash abc`);
    }
    expect(page).toContain(`hammerline runs decide ${run.id} c2 succeeded`);
    expect(pageOf({ ...run, state: 'cancelled' })).not.toContain('hammerline runs');
  });

  it('show what the model asked for beside what a person let it do', () => {
    const edited = aCall({ arguments: { to: 'Dana' }, askedArguments: { to: 'Everyone' } });
    const page = pageOf(aRun({ calls: [edited] }));
    expect(page.indexOf('Everyone')).toBeGreaterThan(page.indexOf('The model asked for'));
    expect(page).toContain('Dana');
    expect(pageOf(aRun())).not.toContain('The model asked for');
  });

  it('show all of what a person is to approve, and nothing that cannot be seen', () => {
    const given = { text: `${'x'.repeat(30_000)}\u00a0\u202e END` };
    const call = aCall({ arguments: given, result: undefined, argumentsHash: 'abc' });
    const shown = (state: Call['state']): string =>
      pageOf(aRun({ state: 'executing', calls: [{ ...call, state }], endedAt: undefined }));
    expect(shown('awaiting_approval')).toContain(String.raw`x\u00a0\u202e END`);
    expect(shown('ready')).not.toContain('END');
  });

  it('show the answer, what is missing, the deadline and what a run replays', () => {
    const page = pageOf(
      aRun({
        state: 'succeeded',
        outcome: 'needs_input',
        answer: `To whom? ${HOSTILE}`,
        missing: { tool: 'send_message', parameters: ['recipient'] },
        replayOf: 'r0',
      }),
    );
    expect(page).toContain('To whom? ');
    expect(page).not.toContain(HOSTILE);
    expect(page).toMatch(/<code>send_message<\/code> needs recipient/);
    expect(page).toContain('href="/runs/r0"');
    expect(page).not.toContain('Deadline');
    expect(pageOf(aRun({ state: 'queued', endedAt: undefined }))).toContain('2026-11-23 09:59');
  });

  it.each(['cancelled', 'expired'] as const)('do not follow a run that is %s', (state) => {
    expect(pageOf(aRun({ state }))).not.toContain('EventSource');
  });

  it.each(['cancelling', 'expiring'] as const)('follow a run that is %s', (state) => {
    expect(pageOf(aRun({ state, endedAt: undefined }))).toContain('EventSource');
  });

  it('tell a failure in words', () => {
    const error = { code: 'outcome_unknown', message: 'Nobody can say.' } as const;
    const calls = [aCall({ state: 'outcome_unknown', error })];
    const page = pageOf(aRun({ state: 'failed', error, calls }));
    expect(page).toContain('Nobody knows whether the call took effect');
    expect(page).toContain('outcome unknown');
    expect(page).toContain('Nobody can say.');
  });

  it('show runs of a newer version, whose error codes are unknown here', () => {
    const error = { code: 'not_invented_yet' as 'internal', message: 'Hm.' };
    expect(pageOf(aRun({ state: 'failed', error }))).toContain('not_invented_yet');
  });

  it('put spans below their parents, by start, and stray ones at the top', () => {
    const spans = [
      aSpan({ spanId: 'late', parentSpanId: 'root', name: 'late', start: 1_050 }),
      aSpan({ spanId: 'stray', parentSpanId: 'gone', name: 'stray', start: 1_020 }),
      aSpan({ spanId: 'leaf', parentSpanId: 'early', name: 'leaf', start: 1_030 }),
      aSpan({ spanId: 'early', parentSpanId: 'root', name: 'early', start: 1_010 }),
      aSpan({ spanId: 'root', name: 'root' }),
    ];
    const rows = [...pageOf(aRun(), spans).matchAll(/id="span-(\w+)" class="(d\d)"/g)];
    expect(rows.map(([, id, depth]) => `${id} ${depth}`)).toEqual([
      'root d0',
      'early d1',
      'leaf d2',
      'late d1',
      'stray d0',
    ]);
  });

  it('keep every bar on the axis, even of a span that took no time', () => {
    const spans = [aSpan(), aSpan({ spanId: 's2', parentSpanId: 's1', start: 1_100, end: 1_100 })];
    const bars = [...pageOf(aRun(), spans).matchAll(/x="([\d.]+)%"[^>]*?width="([\d.]+)%"/g)];
    expect(bars).toHaveLength(2);
    for (const [, x, width] of bars) {
      expect(Number(width)).toBeGreaterThan(0);
      expect(Number(x) + Number(width)).toBeLessThanOrEqual(100.01);
    }
    expect(pageOf(aRun(), [aSpan({ end: 1_000 })])).not.toContain('NaN');
  });

  it('page through the runs', () => {
    const first = renderRuns({ runs: [aRun()], next: 'next-id' }, { now: NOW, first: true });
    expect(first).toContain('href="/?cursor=next-id"');
    expect(first).not.toContain('Latest runs');
    const last = renderRuns({ runs: [aRun()] }, { now: NOW, first: false });
    expect(last).not.toContain('Older runs');
    expect(last).toContain('Latest runs');
    expect(renderRuns({ runs: [] }, { now: NOW, first: true })).toContain('No run yet');
    const dead = { runs: [], next: 'next-id' };
    const failed = renderRuns(dead, {
      now: NOW,
      first: true,
      filter: { state: ['failed', 'expired'] },
    });
    expect(failed).toContain('href="/?state=failed%2Cexpired&amp;cursor=next-id"');
    expect(failed).toContain('There are none here.');
  });

  it('ask for the key in a form', () => {
    expect(LOGIN_PAGE).toMatch(/<form method="get">[^]*name="key"/);
  });
});

describe('times', () => {
  it.each([
    [0.04, '0 ms'],
    [4.26, '4.3 ms'],
    [38.4, '38 ms'],
    [999.6, '1 s'],
    [1_250, '1.25 s'],
    [59_990, '1 min 0 s'],
    [125_000, '2 min 5 s'],
    [-3, '0 ms'],
  ])('%d ms took %s', (ms, words) => {
    expect(duration(ms)).toBe(words);
  });

  it.each([
    [-50, '0 s'],
    [59_400, '59 s'],
    [3_599_000, '59 min'],
    [86_399_000, '23 h'],
    [200_000_000, '2 d'],
  ])('%d ms ago is %s', (ms, words) => {
    expect(age(ms)).toBe(words);
  });
});
