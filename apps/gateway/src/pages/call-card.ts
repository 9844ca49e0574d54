import { visibleJson, type Call, type Run } from '#libs/contracts';
import { cut, errorTitle, prettyJson, stateBadge } from './format.js';
import { html, type Content, type Html } from './html.js';

/** A call of a run's page: what was asked for, what came of it, and what it needs from a person. */
export function callCard(call: Call, run: Run, ended: boolean): Html {
  const bad = call.error !== undefined;
  return html`<article class="card pad call${bad && ' bad'}">
    <header>
      <h3><code>${cut(call.name, 200)}</code></h3>
      ${stateBadge(call.state)}
      <span class="badge">effect: ${call.effect}</span
      >${call.turn > 1 && html` <span class="badge">turn ${call.turn}</span>`}
      ${call.attempt > 1 && html` <span class="badge warn">attempt ${call.attempt}</span>`}
    </header>
    ${call.error && html`<p class="fault"><strong>${errorTitle(call.error.code)}</strong> <code>${call.error.code}</code>: ${cut(call.error.message)}</p>`}
    ${!ended && toDo(call, run)}
    <div class="pair">
      <div>
        <p class="label">Arguments</p>
        <pre tabindex="0">${argumentsText(call)}</pre>
      </div>
      ${
        call.askedArguments &&
        html`<div>
          <p class="label">The model asked for</p>
          <pre tabindex="0">${prettyJson(call.askedArguments)}</pre>
        </div>`
      }
      ${
        call.result !== undefined &&
        html`<div>
          <p class="label">Result</p>
          <pre tabindex="0">${prettyJson(call.result)}</pre>
        </div>`
      }
    </div>
    <p class="label">Call <code>${call.id}</code></p>
  </article> `;
}

/** Nothing is cut of what a person is to approve. */
function argumentsText({ state, arguments: given }: Call): string {
  return state === 'awaiting_approval' ? visibleJson(given, 2) : prettyJson(given);
}

/** What a person must decide, as a command: a page that is only looked at decides nothing. */
function toDo({ id, state, argumentsHash }: Call, run: Run): Content {
  if (state === 'awaiting_approval') {
    return html`<div class="banner warn" role="status">
      <strong>It waits for a person.</strong> Look at its arguments, then approve or deny it:
      <pre tabindex="0">
npx hammerline runs approve ${run.id} ${id} --hash ${argumentsHash}
npx hammerline runs deny ${run.id} ${id} --hash ${argumentsHash}</pre>
    </div>`;
  }
  if (state !== 'outcome_unknown') return false;
  return html`<div class="banner warn" role="status">
    <strong>Its run waits.</strong> Look at the tool for the Idempotency-Key <code>${id}</code>,
    then say what became of it (<code>succeeded</code>, <code>failed</code>), or have it made again
    (<code>retry</code>):
    <pre tabindex="0">npx hammerline runs decide ${run.id} ${id} succeeded</pre>
  </div>`;
}
