import { createHash } from 'node:crypto';
import { html, trusted, type Content, type Html } from './html.js';
import { LIVE_SCRIPT } from './live-script.js';
import { STYLE } from './style.js';

/** Nothing runs or loads on a page but its own style and its own script: hostile text stays text. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `script-src ${hashOf(LIVE_SCRIPT)}`,
  `style-src ${hashOf(STYLE)}`,
  "connect-src 'self'",
  'img-src data:',
  "form-action 'self'",
  "base-uri 'none'",
].join('; ');

/** A whole page. `live` adds the script that keeps a run's page fresh. */
export function renderPage(
  title: string,
  content: Content,
  options: { live?: boolean } = {},
): string {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="${PAGE_POLICY}" />
        <title>${title} · Hammerline</title>
        <link rel="icon" href="data:," />
        ${trusted(`<style>${STYLE}</style>`)}
      </head>
      <body>
        <div class="top">
          <div class="wrap">
            <strong><a href="/">Hammerline</a></strong>
            <nav aria-label="Pages">
              <a href="/">Runs</a> &ensp; <a href="/queues">Queues</a> &ensp;
              <a href="/docs">API</a>
            </nav>
          </div>
        </div>
        <main class="wrap">${content}</main>
        ${options.live === true && trusted(`<script>${LIVE_SCRIPT}</script>`)}
      </body>
    </html> `;
  return page.markup;
}

/** A page with nothing but a message. */
export function renderMessage(title: string, content: Html): string {
  return renderPage(
    title,
    html`<h1>${title}</h1>
      ${content}`,
  );
}

function hashOf(inline: string): string {
  return `'sha256-${createHash('sha256').update(inline).digest('base64')}'`;
}
