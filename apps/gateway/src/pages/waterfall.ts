import type { StoredSpan } from '#libs/runs';
import { ATTR } from '#libs/telemetry';
import { cut, duration } from './format.js';
import { html, type Content, type Html } from './html.js';

/** A trace with more spans is cut; the API has all of them. */
const MAX_SPANS = 400;
const MAX_INDENT = 6;
const SERVICES: readonly string[] = ['gateway', 'worker', 'executor'];

/** A run's spans as bars on one time axis, each below the span that it belongs to. */
export function renderWaterfall(spans: readonly StoredSpan[]): Html {
  if (spans.length === 0) {
    return html`<p class="card pad soft">
      No spans are kept here: they have not arrived yet, or they go to an OpenTelemetry collector.
    </p>`;
  }
  const start = spans.reduce((first, span) => Math.min(first, span.start), Infinity);
  const total = spans.reduce((last, span) => Math.max(last, span.end), start) - start;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (share, index) =>
      html`<span class="num${index % 4 === 0 ? '' : ' only-wide'}"
        >${duration(share * total)}</span
      >`,
  );
  const rows = inOrder(spans).slice(0, MAX_SPANS);
  return html`<div class="card">
      <table class="spans">
        <thead>
          <tr>
            <th scope="col" class="name">Span</th>
            <th scope="col"><span class="axis">${ticks}</span></th>
            <th scope="col" class="took">Took</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map(({ span, depth }) => row(span, depth, start, total))}
        </tbody>
      </table>
    </div>
    ${spans.length > MAX_SPANS && html`<p class="soft">The first ${MAX_SPANS} of ${spans.length} spans.</p>`}
    <p class="key small soft" aria-hidden="true">
      ${[...SERVICES, 'failed'].map(
        (name) =>
          html`<span
            ><svg><rect class="${name}" width="100%" height="100%" rx="2" /></svg> ${name}</span
          >`,
      )}
    </p>`;
}

function row(span: StoredSpan, depth: number, start: number, total: number): Html {
  const service = span.service.replace(/^hammerline-/, '');
  const tone = span.error !== undefined ? 'failed' : SERVICES.includes(service) ? service : 'other';
  const left = total > 0 ? ((span.start - start) / total) * 100 : 0;
  // A span that took no visible time is still a span: it gets a bar that can be seen.
  const width = Math.max(total > 0 ? ((span.end - span.start) / total) * 100 : 100, 0.6);
  const x = Math.min(left, 100 - width).toFixed(2);
  return html`<tr>
    <th scope="row" class="name">
      <details id="span-${span.spanId}" class="d${Math.min(depth, MAX_INDENT)}">
        <summary>${cut(span.name, 120)} <span class="soft small">${service}</span></summary>
        ${attributes(span)}
      </details>
      ${span.error !== undefined && html`<div class="fault small">✕ ${faultOf(span)}</div>`}
    </th>
    <td>
      <svg class="bar" aria-hidden="true">
        <rect class="track" y="48%" width="100%" height="1" />
        <rect
          class="${tone}"
          x="${x}%"
          y="22%"
          width="${width.toFixed(2)}%"
          height="56%"
          rx="2.5"
        />
      </svg>
    </td>
    <td class="num took">${duration(span.end - span.start)}</td>
  </tr> `;
}

function faultOf({ attributes: { [ATTR.errorType]: type }, error = '' }: StoredSpan): string {
  const words = typeof type === 'string' && type !== error ? [type, error] : [error];
  return cut(words.filter((word) => word !== '').join(': '), 300) || 'failed';
}

function attributes(span: StoredSpan): Content {
  const entries = Object.entries(span.attributes);
  return html`<dl class="attributes mono">
    <dt>kind</dt>
    <dd>${span.kind}</dd>
    ${entries.map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${cut(typeof value === 'string' ? value : JSON.stringify(value), 500)}</dd>`,
    )}
  </dl>`;
}

/** Parents before their children, siblings by start. A span whose parent is not among them stands at the top. */
function inOrder(spans: readonly StoredSpan[]): { span: StoredSpan; depth: number }[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const parentOf = ({ parentSpanId }: StoredSpan): string =>
    parentSpanId !== undefined && ids.has(parentSpanId) ? parentSpanId : '';
  const children = Map.groupBy(
    spans.toSorted((a, b) => a.start - b.start),
    parentOf,
  );
  const ordered: { span: StoredSpan; depth: number }[] = [];
  const open = (children.get('') ?? []).map((span) => ({ span, depth: 0 })).toReversed();
  for (let next = open.pop(); next; next = open.pop()) {
    ordered.push(next);
    const { spanId } = next.span;
    const depth = next.depth + 1;
    const below = (children.get(spanId) ?? []).map((span) => ({ span, depth }));
    open.push(...below.toReversed());
    // Each span is reached once, even if two of them claim the same id.
    children.delete(spanId);
  }
  return ordered;
}
