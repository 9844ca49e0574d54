import { EVENT_TYPES, TERMINAL_RUN_STATES, type Run, type RunEvent } from '#libs/contracts';
import type { StoredSpan } from '#libs/runs';
import { callCard } from './call-card.js';
import {
  cut,
  duration,
  errorTitle,
  outcomeText,
  percent,
  prettyJson,
  stateBadge,
} from './format.js';
import { html, type Content, type Html } from './html.js';
import { renderPage } from './layout.js';
import { renderWaterfall } from './waterfall.js';

/** Spans of a run that ended longer ago than this have all arrived. */
const SPANS_WITHIN_MS = 5_000;

/** A run's page: what was asked, what came of it, its calls, its spans on a time axis, its events. */
export function renderRun(
  run: Run,
  details: { spans: readonly StoredSpan[]; events: readonly RunEvent[]; now: number },
): string {
  const ended = TERMINAL_RUN_STATES.has(run.state);
  const fresh =
    run.endedAt !== undefined && details.now - Date.parse(run.endedAt) < SPANS_WITHIN_MS;
  const content = html`<div
    id="live"
    data-events="/v1/runs/${run.id}/events"
    data-types="${EVENT_TYPES.join(' ')}"
    data-seq="${details.events.at(-1)?.seq ?? 0}"
    data-ended="${ended && 'yes'}"
  >
    <h1 class="query-text">${cut(run.query)}</h1>
    <p>${stateBadge(run.state)}${!ended && html` <span class="live small soft">live</span>`}</p>
    ${run.error && banner(run.error)} ${run.state === 'queued' && delay(details.events.at(-1))}
    ${facts(run)} ${reply(run)}
    <h2>Calls</h2>
    ${calls(run, ended)}
    <h2>Waterfall</h2>
    ${renderWaterfall(details.spans)}
    <h2>Events</h2>
    ${eventTable(details.events)}
  </div>`;
  return renderPage(cut(run.query, 60) || 'Run', content, { live: !ended || fresh });
}

function banner({ code, message }: NonNullable<Run['error']>): Html {
  return html`<div class="banner" role="status">
    <strong>${errorTitle(code)}</strong> <code>${code}</code><br />${cut(message)}
  </div>`;
}

/** Why a run waits that was begun already. */
function delay(last: RunEvent | undefined): Content {
  if (last?.type !== 'turn.delayed') return false;
  const { message } = last.data['error'] as { message: string };
  return html`<p class="card pad soft">Waiting for the model: ${cut(message)}</p>`;
}

/** What the model says at the end. */
function reply({ answer, missing }: Run): Content {
  if (answer === undefined) return false;
  const lacks =
    missing &&
    html`<p class="soft">
      <code>${cut(missing.tool, 200)}</code> needs ${cut(missing.parameters.join(', '), 500)}.
    </p>`;
  return html`<h2>Answer</h2>
    <div class="card pad">
      <p class="query-text">${cut(answer)}</p>
      ${lacks}
    </div>`;
}

function facts(run: Run): Html {
  const took =
    run.endedAt !== undefined && duration(Date.parse(run.endedAt) - Date.parse(run.createdAt));
  const known: [name: string, value: Content, style?: string][] = [
    ['Outcome', outcomeText(run.outcome)],
    ['Mode', run.mode],
    ['Toolset', run.toolset],
    ['Model', run.model ?? '–'],
    ['Confidence', run.confidence === undefined ? '–' : percent(run.confidence)],
    [
      'Accepted',
      html`<time class="num" datetime="${run.createdAt}">${clock(run.createdAt)}</time>`,
    ],
    took === false
      ? [
          'Deadline',
          html`<time class="num" datetime="${run.deadline}">${clock(run.deadline)}</time>`,
        ]
      : ['Took', html`<span class="num">${took}</span>`],
    ['Run', html`<code>${run.id}</code>`, 'id'],
    ['Trace', html`<code>${run.traceId}</code>`, 'id'],
  ];
  if (run.priority !== 0) known.push(['Priority', run.priority]);
  if (run.replayOf !== undefined) {
    const first = html`<a href="/runs/${run.replayOf}"><code>${run.replayOf}</code></a>`;
    known.push(['Replay of', first, 'id']);
  }
  return html`<dl class="facts card pad">
    ${known.map(
      ([name, value, style]) =>
        html`<div class="${style}">
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`;
}

function calls(run: Run, ended: boolean): Content {
  if (run.calls.length > 0) return run.calls.map((call) => callCard(call, run, ended));
  if (run.outcome === 'irrelevant') {
    return html`<p class="card pad soft">
      None: the model found no tool that fits, which is a right answer too.
    </p>`;
  }
  return html`<p class="card pad soft">
    ${!ended ? 'Not resolved yet.' : run.outcome ? 'None.' : 'None: no turn was resolved.'}
  </p>`;
}

function eventTable(events: readonly RunEvent[]): Html {
  const first = Date.parse(events[0]?.at ?? '');
  return html`<div class="card">
    <table>
      <thead>
        <tr>
          <th scope="col">#</th>
          <th scope="col">Event</th>
          <th scope="col">After</th>
          <th scope="col" class="only-wide">Time (UTC)</th>
        </tr>
      </thead>
      <tbody>
        ${events.map(
          (event) =>
            html`<tr>
              <td class="num">${event.seq}</td>
              <td>
                <details id="event-${event.seq}">
                  <summary>${event.type} <span class="soft small">${note(event)}</span></summary>
                  <pre tabindex="0">${prettyJson(event.data)}</pre>
                </details>
              </td>
              <td class="num">${duration(Date.parse(event.at) - first)}</td>
              <td class="num only-wide"><time datetime="${event.at}">${clock(event.at)}</time></td>
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`;
}

/** What a reader wants to know of an event without opening it. */
function note({ type, data }: RunEvent): Content {
  const words = [data['name'], data['state'], data['outcome'], attempt(data['attempt'])];
  const told = words.filter((word) => typeof word === 'string').map((word) => cut(word, 60));
  // A delay is no failure.
  const failed = Boolean(data['error']) && type !== 'turn.delayed';
  return [told.join(' · '), failed && html` <span class="fault">✕</span>`];
}

function attempt(number: unknown): string | undefined {
  return typeof number === 'number' && number > 1 ? `attempt ${number}` : undefined;
}

/** "2026-11-22 09:30:00.123": what the ledger says, in UTC. */
function clock(iso: string): string {
  return iso.replace('T', ' ').replace('Z', '');
}
