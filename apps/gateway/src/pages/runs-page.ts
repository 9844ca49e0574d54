import {
  DEAD_LETTERS,
  FOR_A_PERSON,
  type Call,
  type Run,
  type RunFilter,
  type RunPage,
} from '#libs/contracts';
import { age, cut, outcomeText, percent, stateBadge } from './format.js';
import { html, type Content, type Html } from './html.js';
import { renderPage } from './layout.js';

type Filter = Pick<RunFilter, 'state' | 'callState'>;

/** The latest runs, or a later page of them. @param options.now Unix milliseconds; `filter`: what they were chosen by */
export function renderRuns(
  page: RunPage,
  { now, first, filter = {} }: { now: number; first: boolean; filter?: Filter },
): string {
  const older =
    page.next !== undefined &&
    html`<a href="${pathOf(filter, page.next)}" rel="next">Older runs →</a>`;
  const isAll = pathOf(filter) === '/';
  return renderPage(
    'Runs',
    html`<h1>Runs</h1>
      <nav class="pages" aria-label="Which runs">
        <a href="/">All</a>
        <a href="${pathOf({ callState: [...FOR_A_PERSON] })}">Waiting for a person</a>
        <a href="${pathOf({ state: DEAD_LETTERS })}">Failed or expired</a>
      </nav>
      ${page.runs.length > 0 ? table(page.runs, now) : nothing(first && isAll)}
      <nav class="pages" aria-label="More runs">
        ${!first && html`<a href="${pathOf(filter)}">← Latest runs</a>`}${older}
      </nav>`,
  );
}

function pathOf({ state, callState }: Filter, cursor?: string): string {
  const query = new URLSearchParams({
    ...(state && { state: state.join() }),
    ...(callState && { callState: callState.join() }),
    ...(cursor !== undefined && { cursor }),
  });
  return query.size > 0 ? `/?${query}` : '/';
}

function table(runs: readonly Run[], now: number): Html {
  return html`<div class="card">
    <table>
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col">Request</th>
          <th scope="col" class="only-wide">Toolset</th>
          <th scope="col" class="only-wide">Outcome</th>
          <th scope="col" class="only-wide">Model</th>
          <th scope="col">Age</th>
        </tr>
      </thead>
      <tbody>
        ${runs.map((run) => row(run, now))}
      </tbody>
    </table>
  </div>`;
}

function row(run: Run, now: number): Html {
  const outcome = outcomeOf(run);
  const model = modelOf(run);
  return html`<tr>
    <td>${stateBadge(run.state)}</td>
    <td class="query">
      <a href="/runs/${run.id}">${cut(run.query, 120) || 'no words'}</a>
      ${run.error && html`<div class="fault small">${run.error.code}: ${cut(run.error.message, 120)}</div>`}
      <div class="only-narrow small soft">
        ${run.toolset} · ${outcome}${model && html` · ${model}`}
      </div>
    </td>
    <td class="only-wide">
      ${cut(run.toolset, 40)}${run.mode === 'resolve' && html`<div class="small soft">resolve</div>`}
    </td>
    <td class="only-wide">${outcome}</td>
    <td class="only-wide small">${model}</td>
    <td class="num">
      <time datetime="${run.createdAt}" title="${run.createdAt}"
        >${age(now - Date.parse(run.createdAt))}</time
      >
    </td>
  </tr> `;
}

function outcomeOf(run: Run): Content {
  return run.outcome === 'calls' ? callNames(run.calls) : outcomeText(run.outcome);
}

/** Names of the calls, with how often each was chosen. */
function callNames(calls: readonly Call[]): Content {
  const counts = Map.groupBy(calls, ({ name }) => name);
  return [...counts].map(([name, of], index) => [
    index > 0 && ', ',
    html`<code>${cut(name, 60)}</code>`,
    of.length > 1 && ` × ${of.length}`,
  ]);
}

function modelOf(run: Run): Content {
  if (run.model === undefined) return false;
  return html`${run.model}${run.confidence !== undefined && html` <span class="num soft">${percent(run.confidence)}</span>`}`;
}

function nothing(first: boolean): Html {
  if (!first) return html`<p class="card pad">There are none here.</p>`;
  return html`<div class="card pad">
    <p>No run yet. Ask for one:</p>
    <pre>
curl -H "Authorization: Bearer $HAMMERLINE_API_KEY" -H "Content-Type: application/json" \\
  -d '{"toolset":"office","query":"What is the mean revenue in the sales table?"}' \\
  /v1/runs</pre>
    <p>The <a href="/docs">API page</a> tells the rest.</p>
  </div>`;
}
